-- SPDX-License-Identifier: Apache-2.0
-- wrk: POST the file named by BENCH_BODY; print what tests/bench/run reads.
local body = io.open(os.getenv("BENCH_BODY"), "rb")
wrk.method = "POST"
wrk.body = body:read("*a")
wrk.headers["Content-Type"] = "text/xml; charset=utf-8"
body:close()

done = function(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format("bench %d %d %d %d\n", summary.requests,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        latency:percentile(50), latency:percentile(99)))
end
