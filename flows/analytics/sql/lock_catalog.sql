-- One run at a time; readers are not affected.
lock table ops.catalog_relations in share row exclusive mode;
