//! The configuration that every supplier has: `suppliers.<name>.…`.

use std::time::Duration;

use service_kit::{Context, Profile, StartError};
use supplier_client::{
    ApiClient, ApiClientConfig, Auth, Classifier, POLICY_DEFAULTS, Policy, SupplierMetrics,
};

use crate::Timing;

/// What every supplier's section holds. The supplier's own keys stand beside these.
pub struct SupplierSettings {
    name: &'static str,
    /// Where its interface is; may carry a path prefix.
    pub base_url: String,
    /// How long it takes to be sure.
    pub timing: Timing,
    policy: Policy,
}

/// The default document of a supplier: the keys that all have, and its `own`, which are further lines of
/// the table `[suppliers.<name>]` without its header. A supplier without a `base_url` is switched off
/// until somebody gives it one and switches it on.
pub fn defaults(name: &str, base_url: &str, timing: Timing, own: &str) -> String {
    let lag = timing.visibility_lag.as_millis();
    let longest = timing.longest_processing.as_millis();
    let enabled = !base_url.is_empty();
    format!(
        "[suppliers.{name}]\n\
         # Whether the supplier is used.\n\
         enabled = {enabled}\n\
         # Where its interface is; a path prefix is kept.\n\
         base_url = \"{base_url}\"\n\
         # A finished order may be absent from the supplier's look-up for this long, in milliseconds.\n\
         visibility_lag_ms = {lag}\n\
         # A request whose answer was lost may still be worked on for this long, in milliseconds.\n\
         longest_processing_ms = {longest}\n\
         {own}\n\
         [suppliers.{name}.policy]\n\
         {POLICY_DEFAULTS}"
    )
}

impl SupplierSettings {
    /// Reads a supplier's section; none when it is switched off.
    ///
    /// `must_be_set` names keys whose defaults are the sandbox's: production does not start on them.
    ///
    /// # Errors
    /// [`StartError`] for a value that does not fit, and in production for one that nobody set.
    pub fn read(
        context: &Context,
        name: &'static str,
        must_be_set: &[&str],
    ) -> Result<Option<Self>, StartError> {
        let settings = &context.settings;
        let key = |key: &str| format!("suppliers.{name}.{key}");
        if !settings.get::<bool>(&key("enabled"))? {
            return Ok(None);
        }
        for must in must_be_set {
            if context.profile == Profile::Production && settings.is_default(&key(must)) {
                return Err(StartError::Other(format!(
                    "{} still has the sandbox's value: production needs the supplier's own, \
                     or suppliers.{name}.enabled = false",
                    key(must)
                )));
            }
        }
        let millis = |key: &str| settings.get(key).map(Duration::from_millis);
        Ok(Some(Self {
            name,
            base_url: settings.get(&key("base_url"))?,
            timing: Timing {
                visibility_lag: millis(&key("visibility_lag_ms"))?,
                longest_processing: millis(&key("longest_processing_ms"))?,
            },
            policy: settings.section(&key("policy"))?,
        }))
    }

    /// A client for the supplier, with headers that go out on every call.
    ///
    /// # Errors
    /// [`StartError`] when the base URL or a header cannot be used.
    pub fn client(
        &self,
        context: &Context,
        metrics: &SupplierMetrics,
        headers: &[(&str, &str)],
        classifier: Classifier,
        auth: Auth,
    ) -> Result<ApiClient, StartError> {
        let wrong = |error: &dyn std::fmt::Display| {
            StartError::Other(format!("suppliers.{}: {error}", self.name))
        };
        let mut config = ApiClientConfig::new(self.name, &self.base_url)
            .map_err(|error| wrong(&error))?
            .policy(self.policy.clone());
        for (name, value) in headers {
            config = config.header(name, value);
        }
        ApiClient::new(config, classifier, auth, metrics, context.clock.clone())
            .map_err(|error| wrong(&error))
    }
}
