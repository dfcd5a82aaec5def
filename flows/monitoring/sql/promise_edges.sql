-- Which relation or report each promise is of.
select name, schema_name, relation_name, report from ops.promises
