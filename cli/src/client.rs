//! How is a service asked? Its HTTP API, with its errors as sentences.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

/// A service, and who asks it.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    pub(crate) url: String,
    token: Option<String>,
}

/// A little longer than the longest wait that is asked for.
const TIMEOUT: Duration = Duration::from_secs(40);

impl Client {
    pub(crate) fn new(url: &str, token: Option<&str>) -> anyhow::Result<Self> {
        // Links are followed by us, where it is known what comes.
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .user_agent(concat!("airlock/", env!("CARGO_PKG_VERSION")))
            // Bytes are saved as they are stored, also if a dependency switches decoding on.
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .build()?;
        Ok(Self { http, url: url.trim_end_matches('/').to_owned(), token: token.map(ToOwned::to_owned) })
    }

    /// A request to the service, with the token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url)).timeout(TIMEOUT);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// A request to somewhere else, storage for example: without the token, and for as long as it takes.
    pub(crate) fn elsewhere(&self, method: Method, url: &str) -> RequestBuilder {
        self.http.request(method, url)
    }

    /// The status and the body, whatever they are; JSON `null` when there is none.
    pub(crate) async fn answer(&self, request: RequestBuilder) -> anyhow::Result<(StatusCode, Value)> {
        let response = self.send(request).await?;
        let status = response.status();
        let text = response.text().await.context("the answer was cut off")?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let sent = request.send().await.map_err(reqwest::Error::without_url);
        sent.with_context(|| format!("the service at {} does not answer", self.url))
    }

    /// The body of a success; an error says what the service said.
    pub(crate) async fn success(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let (status, body) = self.answer(request).await?;
        if status.is_success() { Ok(body) } else { Err(refusal(status, &body)) }
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.success(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.success(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> anyhow::Result<()> {
        self.success(self.request(Method::DELETE, path)).await.map(drop)
    }

    /// What is known of a file; waits up to 20 seconds for a change when it has no verdict yet.
    pub(crate) async fn wait(&self, file_id: &str) -> anyhow::Result<Value> {
        let request = self.request(Method::GET, &format!("/files/{file_id}/status"));
        let mut answer = self.success(request.header("prefer", "wait=20")).await?;
        Ok(answer["file_info"].take())
    }
}

/// The service's own words, and its code for programs.
pub(crate) fn refusal(status: StatusCode, body: &Value) -> anyhow::Error {
    match (body["detail"].as_str(), body["code"].as_str()) {
        (Some(detail), Some(code)) => anyhow!("{detail} ({code})"),
        _ => anyhow!("the service answered {status}"),
    }
}

/// A text that must be in an answer.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> anyhow::Result<&'a str> {
    match value[name].as_str() {
        Some(text) => Ok(text),
        None => bail!("the service's answer has no `{name}`: is it an Airlock?"),
    }
}
