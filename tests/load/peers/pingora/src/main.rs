// Pingora 0.9 doing the same job as the other peers: RS256 (ring, through jsonwebtoken), an estimated rate by subject,
// in-memory cache with lock (single-flight), pooled proxy. Paths: /plain /jwt /jwtc /cache /full /fullc /limit
use async_trait::async_trait;
use dashmap::DashMap;
use jsonwebtoken::{decode, Algorithm, DecodingKey, Validation};
use once_cell::sync::Lazy;
use pingora::cache::{
    eviction::lru::Manager, filters::resp_cacheable, lock::CacheLock, CacheKey, CacheMetaDefaults,
    MemCache, RespCacheable,
};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::prelude::*;
use pingora_limits::rate::Rate;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
#[global_allocator]
static A: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[derive(serde::Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
}
static KEY: Lazy<DecodingKey> = Lazy::new(|| {
    DecodingKey::from_rsa_pem(&std::fs::read(std::env::var("PUB").unwrap()).unwrap()).unwrap()
});
static UPSTREAM: Lazy<String> =
    Lazy::new(|| format!("127.0.0.1:{}", std::env::var("UPSTREAM").unwrap()));
static VAL: Lazy<Validation> = Lazy::new(|| {
    let mut v = Validation::new(Algorithm::RS256);
    v.set_audience(&["api"]);
    v.set_issuer(&["https://idp.test"]);
    v
});
static TOK: Lazy<DashMap<Vec<u8>, (u64, String)>> = Lazy::new(DashMap::new);
static RATE: Lazy<Rate> = Lazy::new(|| Rate::new(Duration::from_secs(1)));
static STORE: Lazy<MemCache> = Lazy::new(MemCache::new);
static EVICT: Lazy<Manager<16>> = Lazy::new(|| Manager::with_capacity(256 << 20, 8192));
static LOCK: Lazy<CacheLock> = Lazy::new(|| CacheLock::new(Duration::from_secs(2)));
const DEF: CacheMetaDefaults = CacheMetaDefaults::new(|_| None, 60, 60);

#[derive(Default)]
struct Ctx {
    cache: bool,
    sub: Option<String>,
}
struct Gw;
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}
async fn deny(s: &mut Session, code: u16) -> Result<bool> {
    s.respond_error(code).await?;
    Ok(true)
}

#[async_trait]
impl ProxyHttp for Gw {
    type CTX = Ctx;
    fn new_ctx(&self) -> Ctx {
        Ctx::default()
    }
    async fn request_filter(&self, s: &mut Session, ctx: &mut Ctx) -> Result<bool> {
        let path = s.req_header().uri.path();
        let (need, tokcache, cache, low) = match path.split('/').nth(1).unwrap_or("") {
            "plain" => (false, false, false, false),
            "cache" => (false, false, true, false),
            "jwt" => (true, false, false, false),
            "jwtc" => (true, true, false, false),
            "full" => (true, false, true, false),
            "fullc" => (true, true, true, false),
            "limit" => (true, false, false, true),
            _ => return deny(s, 404).await,
        };
        ctx.cache = cache;
        if need {
            let Some(t) = s
                .req_header()
                .headers
                .get("authorization")
                .and_then(|v| v.as_bytes().strip_prefix(b"Bearer "))
            else {
                return deny(s, 401).await;
            };
            let mut sub = None;
            if tokcache {
                if let Some(e) = TOK.get(t) {
                    if e.0 > now() {
                        sub = Some(e.1.clone())
                    }
                }
            }
            if sub.is_none() {
                let ts = match std::str::from_utf8(t) {
                    Ok(x) => x,
                    Err(_) => return deny(s, 401).await,
                };
                match decode::<Claims>(ts, &KEY, &VAL) {
                    Ok(d) => {
                        if tokcache {
                            TOK.insert(t.to_vec(), (d.claims.exp, d.claims.sub.clone()));
                        }
                        sub = Some(d.claims.sub)
                    }
                    Err(_) => return deny(s, 401).await,
                }
            }
            let sub = sub.unwrap();
            let n = RATE.observe(&sub, 1);
            if n > if low { 5 } else { 1_000_000_000 } {
                return deny(s, 429).await;
            }
            ctx.sub = Some(sub);
        }
        Ok(false)
    }
    fn request_cache_filter(&self, s: &mut Session, ctx: &mut Ctx) -> Result<()> {
        if ctx.cache {
            s.cache
                .enable(&*STORE, Some(&*EVICT), None, Some(&*LOCK), None)
        }
        Ok(())
    }
    fn cache_key_callback(&self, s: &Session, _c: &mut Ctx) -> Result<CacheKey> {
        Ok(CacheKey::new(
            s.req_header()
                .uri
                .path_and_query()
                .map(|p| p.as_str())
                .unwrap_or("/")
                .to_string(),
            "",
        ))
    }
    fn response_cache_filter(
        &self,
        _s: &Session,
        r: &ResponseHeader,
        _c: &mut Ctx,
    ) -> Result<RespCacheable> {
        let cc = pingora::cache::cache_control::CacheControl::from_resp_headers(r);
        Ok(resp_cacheable(cc.as_ref(), r.clone(), false, &DEF))
    }
    async fn upstream_peer(&self, _s: &mut Session, _c: &mut Ctx) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(
            UPSTREAM.as_str(),
            false,
            String::new(),
        )))
    }
    async fn upstream_request_filter(
        &self,
        _s: &mut Session,
        r: &mut RequestHeader,
        ctx: &mut Ctx,
    ) -> Result<()> {
        r.remove_header("authorization");
        if let Some(u) = &ctx.sub {
            r.insert_header("x-user", u.as_str())?;
        }
        Ok(())
    }
}
fn main() {
    env_logger::init();
    let mut server = Server::new(Some(Opt {
        conf: std::env::var("CONF").ok(),
        ..Default::default()
    }))
    .unwrap();
    server.bootstrap();
    let mut svc = http_proxy_service(&server.configuration, Gw);
    svc.add_tcp(&format!("127.0.0.1:{}", std::env::var("PORT").unwrap()));
    server.add_service(svc);
    server.run_forever();
}
