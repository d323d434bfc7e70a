//! A deployed stack: the template on ministack, with the release builds of the functions, and a client for
//! it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::mirror::Mirror;
use super::runtime_api::http_event;
use super::{answer, client, text, wait};

/// The deployed stack.
pub(crate) struct Stack {
    child: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    pub(crate) about: Value,
    pub(crate) http: reqwest::Client,
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The Python environment with ministack and boto3.
pub(crate) async fn python() -> PathBuf {
    let venv = Command::new(root().join("tools/venv")).arg("peer").output().await.unwrap();
    assert!(venv.status.success(), "{}", String::from_utf8_lossy(&venv.stderr));
    Path::new(String::from_utf8(venv.stdout).unwrap().trim()).join("bin/python")
}

impl Stack {
    pub(crate) async fn deploy(mirror: &Mirror) -> Self {
        let mut child = Command::new(python().await)
            .arg(root().join("tests/deploy/deploy.py"))
            .args([root().join("template.yaml"), root().join("target/lambda")])
            .arg(&mirror.url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (commands, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut answers = BufReader::new(stdout).lines();
        let line = answers.next_line().await.unwrap().unwrap_or_else(|| panic!("the stack does not stand"));
        let about = serde_json::from_str(&line).unwrap();
        Self { child, commands, answers, about, http: client() }
    }

    pub(crate) async fn command(&mut self, command: Value) -> Value {
        self.commands.write_all(format!("{command}\n").as_bytes()).await.unwrap();
        serde_json::from_str(&self.answers.next_line().await.unwrap().unwrap()).unwrap()
    }

    pub(crate) async fn invoke(&mut self, function: &str, payload: Value) -> Value {
        self.command(json!({ "do": "invoke", "function": function, "payload": payload })).await
    }

    /// A request to the HTTP API, whose name is in the `Host` header only.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let api = text(&self.about["outputs"]["ApiUrl"]);
        let host = api.trim_start_matches("http://").to_owned();
        self.http.request(method, format!("{}{path}", text(&self.about["url"]))).header("host", host)
    }

    pub(crate) fn authorized(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(text(&self.about["token"]))
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let (status, body) = answer(self.authorized(Method::GET, path).send().await.unwrap()).await;
        (status.as_u16(), body)
    }

    pub(crate) async fn create_upload(&self, wanted: Value) -> (String, Value) {
        let (status, body) =
            answer(self.authorized(Method::POST, "/files").json(&wanted).send().await.unwrap()).await;
        assert_eq!(status, 201, "{body}");
        (text(&body["file_id"]), body["upload"].clone())
    }

    pub(crate) async fn upload(&self, name: &str, bytes: &[u8]) -> String {
        let (file_id, upload) = self.create_upload(json!({ "filename": name, "size": bytes.len() })).await;
        self.put(&upload, bytes).await;
        file_id
    }

    pub(crate) async fn put(&self, upload: &Value, bytes: &[u8]) {
        let mut put = self.http.put(text(&upload["url"])).body(bytes.to_vec());
        for (name, value) in upload["headers"].as_object().unwrap() {
            if name != "content-length" {
                put = put.header(name, text(value));
            }
        }
        assert_eq!(put.send().await.unwrap().status(), 200);
    }

    /// `/health` is a path of ministack's own, so the function is asked by itself.
    pub(crate) async fn health(&mut self) -> Value {
        let answer = self.invoke("ApiFunction", http_event("GET", "/health", &json!({}), "")).await;
        serde_json::from_str(answer["payload"]["body"].as_str().unwrap()).unwrap()
    }

    pub(crate) async fn post_form(&self, upload: &Value, bytes: &[u8]) -> u16 {
        let mut form = reqwest::multipart::Form::new();
        for (name, value) in upload["fields"].as_object().unwrap() {
            form = form.text(name.clone(), text(value));
        }
        let form = form.part("file", reqwest::multipart::Part::bytes(bytes.to_vec()).file_name("f"));
        self.http.post(text(&upload["url"])).multipart(form).send().await.unwrap().status().as_u16()
    }

    pub(crate) async fn operate(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.request(method, path).bearer_auth(text(&self.about["operator"]));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let (status, body) = answer(request.send().await.unwrap()).await;
        (status.as_u16(), body)
    }

    pub(crate) async fn ends_as(&self, file_id: &str, wanted: &str) {
        let found = wait::until_found(&format!("{file_id} to end as {wanted}"), async || {
            let (_, answer) = self.get(&format!("/files/{file_id}/status")).await;
            let status = answer["file_info"]["scan_status"].clone();
            if ["pending", "scanning"].iter().any(|on| status == *on) { Err(answer) } else { Ok(status) }
        })
        .await;
        assert_eq!(found, wanted, "{file_id}");
    }

    /// Waits for a status that follows a verdict.
    pub(crate) async fn becomes(&self, file_id: &str, wanted: &str) {
        wait::until_found(&format!("{file_id} to become {wanted}"), async || {
            let (_, answer) = self.get(&format!("/files/{file_id}/status")).await;
            if answer["file_info"]["scan_status"] == wanted { Ok(()) } else { Err(answer) }
        })
        .await;
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // Ends the imitation and its functions.
        wait::end_gracefully(&mut self.child);
    }
}
