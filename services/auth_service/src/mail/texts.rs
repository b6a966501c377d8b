//! What the mails say.

/// Addresses of the pages that mails link to; `{token}` stands for the link's token.
pub(crate) struct Links {
    pub(crate) confirm: String,
    pub(crate) reset: String,
}

/// What a mail is about.
pub(crate) enum Letter<'a> {
    /// The address is to be confirmed with this token.
    Confirm {
        /// The link's token. A secret.
        token: &'a str,
    },
    /// The account was made.
    Welcome,
    /// Somebody registered with an address that has an account.
    AlreadyRegistered,
    /// A new password may be set with this token.
    Reset {
        /// The link's token. A secret.
        token: &'a str,
    },
    /// The password was changed.
    PasswordChanged,
}

impl Links {
    /// Subject and text.
    pub(super) fn written(&self, letter: &Letter<'_>) -> (&'static str, String) {
        match letter {
            Letter::Confirm { token } => (
                "Confirm your e-mail address",
                format!(
                    "Somebody, probably you, registered at Interline with this address.\n\n\
                     To confirm it, open this link within a day and press the button:\n\n{}\n\n\
                     If it was not you, do nothing: no account will be made.\n",
                    self.confirm.replace("{token}", token)
                ),
            ),
            Letter::Welcome => (
                "Welcome to Interline",
                "Your account is ready. Log in with this address and your password.\n\n\
                 If you did not register, ask for a new password and delete the account.\n"
                    .to_owned(),
            ),
            Letter::AlreadyRegistered => (
                "You have an account already",
                "Somebody, probably you, tried to register at Interline with this address, which \
                 has an account already. Nothing was changed.\n\n\
                 If you forgot your password, ask for a new one.\n"
                    .to_owned(),
            ),
            Letter::Reset { token } => (
                "Choose a new password",
                format!(
                    "Somebody, probably you, asked for a new password for this address.\n\n\
                     To choose one, open this link within an hour:\n\n{}\n\n\
                     If it was not you, do nothing: your password stays as it is.\n",
                    self.reset.replace("{token}", token)
                ),
            ),
            Letter::PasswordChanged => (
                "Your password was changed",
                "The password of your account was changed, and every log-in was ended.\n\n\
                 If it was not you, ask for a new password at once.\n"
                    .to_owned(),
            ),
        }
    }
}
