//! Logging in, staying logged in, and what both answer with.

mod routes;

use serde::{Deserialize, Serialize};
use service_kit::error::codes;
use service_kit::{ApiError, Cx};
use settings::SecretString;
use storage::Db;
use travel_types::FieldErrors;
use utoipa::ToSchema;

use crate::accounts::{self, Accounts, User};
use crate::attempts::{Attempt, Attempts};
use crate::passwords::{Passwords, Turn};
use crate::sessions::{Grant, Opened, Sessions};
pub(crate) use routes::routes;

/// The longest address (RFC 5321 §4.5.3.1.3) and password in characters: longer ones are no account's.
const MAX_EMAIL: usize = 254;
const MAX_PASSWORD: usize = 1024;

/// Who one is, and the proof.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginRequest {
    /// The account's address; case and surrounding spaces do not matter.
    #[schema(
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$",
        min_length = 1,
        max_length = 254,
        example = "agent@interline.test"
    )]
    email: String,
    /// The password.
    #[schema(value_type = String, format = Password, min_length = 1, max_length = 1024, example = "interline-sandbox")]
    password: SecretString,
}

/// The refresh token of the last answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefreshRequest {
    /// The refresh token; worth nothing once this was answered.
    #[schema(value_type = String)]
    refresh_token: SecretString,
}

/// Tokens and whose they are.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenPair {
    /// Sent with each request as `Authorization: Bearer …`.
    access_token: String,
    /// For `POST /api/v1/auth/refresh`, once.
    refresh_token: String,
    /// Always `Bearer` (RFC 6750).
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Life of the access token in seconds.
    #[schema(example = 900)]
    expires_in: u64,
    /// The account.
    user: User,
}

/// The parts that the log-in needs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LogIns {
    pub(crate) db: Db,
    pub(crate) accounts: Accounts,
    pub(crate) passwords: Passwords,
    pub(crate) attempts: Attempts,
    pub(crate) sessions: Sessions,
}

impl LogIns {
    /// Tokens for the right password. Unknown account and wrong password cost and answer the same.
    pub(crate) async fn log_in(
        &self,
        cx: &Cx,
        request: LoginRequest,
        headers: &http::HeaderMap,
    ) -> Result<TokenPair, ApiError> {
        let (email, password) = checked(request)?;
        let attempt = Attempt::new(&email, headers);
        // Once before the queue, so that a flood is refused without standing in it; once with the
        // turn, so that those who queued together do not all get in.
        self.admit(&attempt).await?;
        let turn = self.passwords.turn(cx.deadline.left()).await;
        let turn: Turn = turn.ok_or_else(overloaded)?;
        self.admit(&attempt).await?;
        let account = self.accounts.with_email(&email).await?;
        let stored = account
            .as_ref()
            .map(|account| account.password_hash.clone());
        let (matches, turn) = turn.verify(password, stored).await.map_err(internal)?;
        let Some(account) = account.filter(|_| matches) else {
            self.attempts.failed(&attempt).await;
            return Err(ApiError::new(&codes::INVALID_CREDENTIALS));
        };
        drop(turn);
        self.attempts.succeeded(&attempt).await;
        let user = self.accounts.open(&account).await?;
        let user = user.ok_or_else(|| ApiError::new(&codes::INVALID_CREDENTIALS))?;
        let grant = Grant {
            account: user.id,
            client: None,
            permissions: None,
        };
        let mut tx = self.db.begin().await?;
        let opened = self.sessions.open(&mut tx, &grant).await?;
        tx.commit().await?;
        self.pair(user, &grant, opened)
    }

    /// A new pair for a refresh token, with the role that the account has now.
    pub(crate) async fn refresh(&self, request: RefreshRequest) -> Result<TokenPair, ApiError> {
        use settings::ExposeSecret as _;
        let token = request.refresh_token.expose_secret();
        let rotated = self.sessions.rotate(token, None).await?;
        self.pair(rotated.user, &rotated.grant, rotated.opened)
    }

    async fn admit(&self, attempt: &Attempt) -> Result<(), ApiError> {
        match self.attempts.wait(attempt).await {
            None => Ok(()),
            Some(wait) => Err(ApiError::new(&codes::RATE_LIMITED).retry_after(wait)),
        }
    }

    fn pair(&self, user: User, grant: &Grant, opened: Opened) -> Result<TokenPair, ApiError> {
        let signed = self
            .sessions
            .access_token(&user, grant, &opened.session_id)?;
        Ok(TokenPair {
            access_token: signed.token,
            refresh_token: opened.refresh_token,
            token_type: "Bearer",
            expires_in: self.sessions.signer.life().as_secs(),
            user,
        })
    }
}

/// The address in its one spelling, and the password, if they could be an account's at all.
fn checked(request: LoginRequest) -> Result<(String, SecretString), ApiError> {
    use settings::ExposeSecret as _;
    let email = accounts::normalise(&request.email);
    let mut fields = FieldErrors::new();
    fields.check(
        (1..=MAX_EMAIL).contains(&email.chars().count()) && !email.chars().any(char::is_control),
        "email",
        "INVALID",
        "must be an e-mail address of at most 254 characters",
    );
    fields.check(
        (1..=MAX_PASSWORD).contains(&request.password.expose_secret().chars().count()),
        "password",
        "INVALID",
        "must have 1 to 1024 characters",
    );
    Ok(fields.or((email, request.password))?)
}

fn overloaded() -> ApiError {
    ApiError::new(&codes::SERVICE_UNAVAILABLE)
        .retry_after(std::time::Duration::from_secs(1))
        .because("no turn to compute a password hash")
}

fn internal(error: impl std::fmt::Display) -> ApiError {
    ApiError::new(&codes::INTERNAL_ERROR).because(error)
}
