//! How a client shows who it is: `client_secret_basic`, `client_secret_post`, or nothing but its id for
//! a public one (RFC 6749 §2.3, §3.2.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};

use super::error::OAuthError;
use super::form::Form;
use crate::Auth;
use crate::clients::{self, Client, ClientId, Type};

/// What a client shows.
struct Shown {
    id: String,
    secret: Option<String>,
}

/// The client that sends a request. Failures are counted as those of log-ins are.
///
/// # Errors
/// `invalid_client` for an unknown one, a wrong secret, or a missing one of a confidential client;
/// `invalid_request` for two ways at once; 429 after too many failures.
pub(super) async fn client(
    auth: &Auth,
    headers: &HeaderMap,
    form: &Form,
) -> Result<Client, OAuthError> {
    let shown = shown(headers, form)?;
    let attempts = &auth.log_ins.attempts;
    let attempt = attempts.of_client(&shown.id, headers);
    if let Err(error) = attempts.admit(&attempt).await {
        return Err(OAuthError::too_many(
            error.headers().get(header::RETRY_AFTER),
        ));
    }
    let known = match shown.id.parse::<ClientId>() {
        Ok(_) => clients::by_id(&auth.sessions.db, &shown.id).await?,
        Err(_) => None,
    };
    let proven = |client: &Client| match (&shown.secret, client.kind) {
        (None, Type::Public) => true,
        (Some(secret), Type::Confidential) => client.has_secret(secret),
        _ => false,
    };
    match known.filter(proven) {
        Some(client) => {
            if client.kind == Type::Confidential {
                attempts.succeeded(&attempt).await;
            }
            Ok(client)
        }
        None => {
            attempts.failed(&attempt).await;
            Err(OAuthError::invalid_client())
        }
    }
}

fn shown(headers: &HeaderMap, form: &Form) -> Result<Shown, OAuthError> {
    let mut fields = headers.get_all(header::AUTHORIZATION).iter();
    let in_body = Shown {
        id: form.get("client_id").unwrap_or_default().to_owned(),
        secret: form.get("client_secret").map(str::to_owned),
    };
    let in_header = match (fields.next(), fields.next()) {
        (None, _) => None,
        (Some(field), None) => {
            let basic = field.to_str().ok().and_then(basic);
            Some(basic.ok_or_else(OAuthError::invalid_client)?)
        }
        _ => return Err(OAuthError::invalid_request("Two Authorization fields.")),
    };
    match in_header {
        Some(_) if in_body.secret.is_some() => Err(OAuthError::invalid_request(
            "Send the client's credentials in the Authorization field or in the body, not in both.",
        )),
        Some(basic) if !in_body.id.is_empty() && in_body.id != basic.id => {
            Err(OAuthError::invalid_request(
                "client_id in the body is not the client of the Authorization field.",
            ))
        }
        Some(basic) => Ok(basic),
        None if in_body.id.is_empty() => Err(OAuthError::invalid_client()),
        None => Ok(in_body),
    }
}

/// Id and secret, each form-encoded before they were joined (RFC 6749 §2.3.1).
fn basic(field: &str) -> Option<Shown> {
    let (scheme, credentials) = field.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decoded = |text: &str| {
        let pair = format!("x={text}");
        let mut pairs = url::form_urlencoded::parse(pair.as_bytes());
        let value = pairs.next().map(|(_, value)| value.into_owned());
        value.filter(|_| pairs.next().is_none())
    };
    let secret = decoded(secret)?;
    Some(Shown {
        id: decoded(id)?,
        secret: (!secret.is_empty()).then_some(secret),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_form_encoded_before_they_are_joined() {
        let of = |text: &str| basic(&format!("Basic {}", STANDARD.encode(text)));
        let shown = of("cli_1:a%3Ab%2Bc").unwrap();
        assert_eq!(
            (shown.id.as_str(), shown.secret.as_deref()),
            ("cli_1", Some("a:b+c"))
        );
        assert!(of("cli_1:").unwrap().secret.is_none());
        assert!(of("cli_1").is_none());
        assert!(basic("Bearer abc").is_none());
        assert!(basic("Basic !").is_none());
    }
}
