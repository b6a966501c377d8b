//! The sandbox as a service of the kit.

use std::borrow::Cow;
use std::time::Duration;

use service_kit::{Access, App, Context, Profile, Routes, ServiceSpec};

use crate::{CONFIG_DEFAULT, Options, control, router};

/// The service. It refuses to run in production.
pub fn service() -> ServiceSpec {
    ServiceSpec {
        name: "sandbox",
        access: Access::Anyone,
        config: vec![
            Cow::Borrowed(CONFIG_DEFAULT),
            Cow::Borrowed("[listen]\n# Port to listen on; 0 takes a free one.\nport = 8090\n"),
        ],
        openapi: || service_kit::openapi::written(&control::document()),
        build: |context| Box::pin(build(context)),
    }
}

async fn build(context: Context) -> Result<App, service_kit::StartError> {
    if context.profile == Profile::Production {
        return Err(service_kit::StartError::Other(
            "the sandbox simulates suppliers and has no place in production".to_owned(),
        ));
    }
    let settings = &context.settings;
    let options = Options {
        data_dir: Some(context.data_dir.join("sandbox")),
        offer_life: Duration::from_secs(settings.get("offer_life_s")?),
        seed: settings.get("seed")?,
        slow_order: Duration::from_millis(settings.get("slow_order_ms")?),
        rate_limit: settings.get("rate_limit")?,
        enforce_rate_limit: settings.get("enforce_rate_limit")?,
        one_order_per_search: settings.get("one_order_per_search")?,
        token_life: Duration::from_secs(settings.get("token_life_s")?),
        currency: settings.get("currency")?,
        ..Options::default()
    };
    let router = router(options)
        .await
        .map_err(|error| service_kit::StartError::Other(format!("sandbox: {error}")))?;
    Ok(App {
        interface: Routes::unguarded(router).into(),
        checks: Vec::new(),
    })
}
