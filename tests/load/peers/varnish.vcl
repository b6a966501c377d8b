vcl 4.1;
# varnish 7.1: cache + vsthrottle rate limit; no RS256 JWT vmod in Debian (cached-hit anchor)
import vsthrottle;
backend be { .host = "127.0.0.1"; .port = "@UPSTREAM@"; }
sub vcl_recv {
  if (req.url ~ "^/limit/" && vsthrottle.is_denied(req.http.X-Api-Key, 5, 1s)) { return (synth(429)); }
  if (req.url ~ "^/rl/" && vsthrottle.is_denied(req.http.X-Api-Key, 100000000, 1s)) { return (synth(429)); }
  if (req.url ~ "^/plain/") { return (pass); }
  unset req.http.Cookie; unset req.http.Authorization;
  return (hash);
}
sub vcl_backend_response { set beresp.grace = 60s; set beresp.keep = 60s; }
