select fingerprint, changed_at
from ops.report_fingerprints
where report = :report
