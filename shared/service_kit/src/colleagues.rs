//! Calls from one service to another, on behalf of a caller.

use std::collections::BTreeMap;

use auth::{HOP_HEADER, HopSigner, Identity};
use settings::{ExposeSecret as _, SecretString};
use supplier_client::{
    ApiClient, ApiClientConfig, Auth, CallCx, Sent, SupplierError, SupplierErrorKind,
    SupplierMetrics, Transport as _, WireRequest, WireResponse, by_status,
};

use crate::{Context, Profile, StartError};

/// The services that this one calls. It signs for each call on whose behalf it is made, with exactly
/// the rights of that identity: a service has none of its own.
pub struct Colleagues {
    signer: HopSigner,
    clients: BTreeMap<String, ApiClient>,
}

impl std::fmt::Debug for Colleagues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Colleagues")
            .field(&self.clients.keys())
            .finish()
    }
}

impl Colleagues {
    /// The named services, each at the setting `colleagues.<name>.url`.
    ///
    /// # Errors
    /// [`StartError`] for a URL that is none, and for a signing key that cannot be used or that
    /// production was not given.
    pub fn new(
        context: &Context,
        metrics: &SupplierMetrics,
        names: impl IntoIterator<Item = String>,
    ) -> Result<Self, StartError> {
        let mut clients = BTreeMap::new();
        for name in names {
            let url: String = context.settings.get(&format!("colleagues.{name}.url"))?;
            let config = ApiClientConfig::new(name.clone(), &url)
                .map_err(|error| {
                    StartError::Other(format!(
                        "configuration key 'colleagues.{name}.url': {error}"
                    ))
                })?
                .internal();
            let clock = context.clock.clone();
            let client = ApiClient::new(config, by_status, Auth::None, metrics, clock)
                .map_err(|error| StartError::Other(error.to_string()))?;
            clients.insert(name, client);
        }
        Ok(Self {
            signer: signer(context)?,
            clients,
        })
    }

    /// The services' names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.clients.keys().map(String::as_str)
    }

    /// Calls a service on an identity's behalf, within the call's deadline and under its correlation.
    ///
    /// # Errors
    /// As [`supplier_client::Transport::call`]; [`SupplierErrorKind::InvalidRequest`] for a service
    /// that was not named at the start.
    pub async fn call(
        &self,
        service: &str,
        identity: &Identity,
        call: &CallCx,
        request: WireRequest,
    ) -> Result<WireResponse, SupplierError> {
        let wrong = |detail: &str| {
            SupplierError::new(SupplierErrorKind::InvalidRequest, detail).with_sent(Sent::No)
        };
        let client = self.clients.get(service);
        let client = client.ok_or_else(|| wrong("no such colleague"))?;
        let signed = self.signer.sign(identity, service);
        let signed = signed.map_err(|_| wrong("the identity could not be signed"))?;
        let request = request.header(HOP_HEADER.as_str(), &signed);
        client.call(call, request).await
    }
}

/// Signs with the configured key, in development with the one that all services share.
fn signer(context: &Context) -> Result<HopSigner, StartError> {
    let pem: SecretString = context.settings.get("identity.service_private_key")?;
    let clock = context.clock.clone();
    let made = if !pem.expose_secret().is_empty() {
        HopSigner::service_from_pem(pem.expose_secret(), clock)
    } else if context.profile == Profile::Development {
        HopSigner::service_development(&context.data_dir, clock)
    } else {
        return Err(StartError::Other(
            "identity.service_private_key is empty: production signs with no key that it made \
             itself; give an Ed25519 key as PEM or as file:/path, and name its public half in \
             identity.public_keys of the other services"
                .to_owned(),
        ));
    };
    made.map_err(|error| StartError::Other(error.to_string()))
}
