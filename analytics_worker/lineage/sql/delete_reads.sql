delete from ops.unit_reads
where kind = :kind and scope = :scope and not name = any(cast(:names as text []))
