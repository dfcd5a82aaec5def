-- Tables of the Prefect server, with their indexes.
select
    m.tbl_name,
    sum(s.pgsize)
from (select * from dbstat where aggregate = 1) as s
inner join sqlite_master as m on s.name = m.name
group by m.tbl_name;
