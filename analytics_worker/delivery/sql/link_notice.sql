update ops.deliveries
set notice_id = :notice_id
where id = any(cast(:deliveries as uuid[]))
