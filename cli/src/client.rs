//! The HTTP client of a service, whose errors are sentences.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use crate::failure::{self, refusal};

/// A service, and the token with which it is called.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    pub(crate) url: String,
    token: Option<String>,
}

/// A little longer than the longest wait that is requested.
const TIMEOUT: Duration = Duration::from_secs(40);
/// The longest wait that the service grants.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

impl Client {
    pub(crate) fn new(url: &str, token: Option<&str>) -> anyhow::Result<Self> {
        // Redirects of links are followed by `download`, which checks what it gets.
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .user_agent(concat!("airlock/", env!("CARGO_PKG_VERSION")))
            // Bytes are saved as they are stored, even if a dependency enables decoding.
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .build()
            .map_err(|_| failure::no_client())?;
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

    /// A request to another server, such as the storage: without the token, and without a timeout.
    pub(crate) fn elsewhere(&self, method: Method, url: &str) -> RequestBuilder {
        self.http.request(method, url)
    }

    /// Returns the status and the body, also of an error; JSON `null` if the body is no JSON.
    pub(crate) async fn answer(&self, request: RequestBuilder) -> anyhow::Result<(StatusCode, Value)> {
        let response = self.send(request).await?;
        let status = response.status();
        let text = response.text().await.context("the connection ended in the middle of the answer")?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let sent = request.send().await;
        sent.map_err(|error| {
            let why = failure::no_answer(&error);
            anyhow!("the service at {} does not answer: {why} (choose a service with --url)", self.url)
        })
    }

    /// Returns the body of a success. The error is the service's own message.
    pub(crate) async fn success(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let (status, body) = self.answer(request).await?;
        if status.is_success() { Ok(body) } else { Err(refusal(status, &body).into()) }
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

    /// Returns a file's status; waits up to 20 seconds for a change while it has no verdict.
    pub(crate) async fn wait(&self, file_id: &str) -> anyhow::Result<Value> {
        self.wait_for(file_id, LONGEST_WAIT).await
    }

    /// Does the same for this time at most, in whole seconds.
    pub(crate) async fn wait_for(&self, file_id: &str, limit: Duration) -> anyhow::Result<Value> {
        let seconds = limit.min(LONGEST_WAIT).as_secs();
        let request = self.request(Method::GET, &format!("/files/{file_id}/status"));
        let mut answer = self.success(request.header("prefer", format!("wait={seconds}"))).await?;
        Ok(answer["file_info"].take())
    }
}

/// Sends a request to the storage, whose errors it puts into plain words.
pub(crate) async fn send_elsewhere(request: RequestBuilder) -> anyhow::Result<Response> {
    request.send().await.map_err(|error| {
        let at = error.url().map(|url| url.origin().ascii_serialization()).unwrap_or_default();
        anyhow!("the storage at {at} does not answer: {}", failure::no_answer(&error))
    })
}

/// The presigned request to storage, without its body.
pub(crate) fn presigned(client: &Client, instructions: &Value) -> anyhow::Result<RequestBuilder> {
    let mut request = client.elsewhere(Method::PUT, text(instructions, "url")?);
    for (name, value) in instructions["headers"].as_object().into_iter().flatten() {
        request = request.header(name, value.as_str().unwrap_or_default());
    }
    Ok(request)
}

/// A text that an answer must contain.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> anyhow::Result<&'a str> {
    match value[name].as_str() {
        Some(text) => Ok(text),
        None => bail!("the service's answer has no `{name}`: is it an Airlock?"),
    }
}
