select set_config('search_path', quote_ident(:schema_name) || ', pg_catalog', true);
