//! The sandbox's mailbox, and its links.

use serde_json::Value;
use testkit::wait_until;

use crate::service::json_of;

pub(crate) struct Mailbox {
    base: String,
}

impl Mailbox {
    pub(crate) async fn start() -> Self {
        let router = sandbox::router(sandbox::Options::default()).await.unwrap();
        let listener = service_kit::bind("127.0.0.1", 0).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base }
    }

    /// Where mail is posted to.
    pub(crate) fn url(&self) -> String {
        format!("{}/mail/messages", self.base)
    }

    /// What was delivered to an address so far.
    pub(crate) async fn now(&self, to: &str) -> Vec<Value> {
        let to = to.replace('+', "%2B");
        let url = format!("{}/_control/mailbox?to={to}", self.base);
        let answer = reqwest::get(url).await.unwrap();
        json_of(answer).await["data"].as_array().unwrap().clone()
    }

    /// The mails to an address, once there are so many.
    pub(crate) async fn mails(&self, to: &str, count: usize) -> Vec<Value> {
        wait_until("mail", async || {
            let mails = self.now(to).await;
            (mails.len() >= count).then_some(mails)
        })
        .await
    }

    /// The token of the link in the newest of so many mails to an address.
    pub(crate) async fn token(&self, to: &str, count: usize) -> String {
        let mails = self.mails(to, count).await;
        let text = mails.last().unwrap()["text"].as_str().unwrap().to_owned();
        let (_, rest) = text.split_once("token=").expect("a link");
        rest.split_whitespace().next().unwrap().to_owned()
    }
}
