//! Behind nginx and Caddy, as `deploy/` configures them, everything works as without them: TLS, separate
//! names for API and storage, large uploads, and unbuffered events.

use std::path::Path;
use std::process::Stdio;

use local::Auth;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::identity::{ENV, user_token};
use crate::live::Stream;
use crate::support::process::free_ports;
use crate::support::{Service, answer, text, wait};

const API: &str = "files.example.com";
const STORAGE: &str = "storage.example.com";

/// The addresses of a proxy and of the service behind it, and the proxy's files.
struct Ports {
    /// The port of the proxy, for both names.
    tls: u16,
    plain: u16,
    api: u16,
    storage: u16,
}

fn committed(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name)).unwrap()
}

/// Replaces every occurrence of `from`, of which there must be at least one.
fn replaced(text: &str, replacements: &[(&str, &str)]) -> String {
    replacements.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "`{from}` is not in the configuration");
        text.replace(from, to)
    })
}

fn start(program: &str, args: &[&str], directory: &Path) -> Child {
    let mut command = Command::new(program);
    command.args(args).current_dir(directory).kill_on_drop(true).stdin(Stdio::null());
    // The directory in which programs keep their state.
    let home = directory.join("home");
    command.env("HOME", &home).env("XDG_DATA_HOME", &home).env("XDG_CONFIG_HOME", &home);
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    command.env("PATH", path).spawn().unwrap()
}

fn nginx(directory: &Path, ports: &Ports) -> Child {
    let [api, storage] = [ports.api, ports.storage].map(|port| format!("server 127.0.0.1:{port};"));
    let tls = format!("listen 127.0.0.1:{} ssl http2;", ports.tls);
    let site = replaced(
        &committed("nginx/airlock.conf"),
        &[
            ("    listen [::]:80;\n", ""),
            ("    listen [::]:443 ssl http2;\n", ""),
            ("listen 80;", &format!("listen 127.0.0.1:{};", ports.plain)),
            ("listen 443 ssl http2;", &tls),
            ("server 127.0.0.1:8000;", &api),
            ("server 127.0.0.1:8001;", &storage),
            ("/etc/letsencrypt/live/files.example.com/fullchain.pem", "cert.pem"),
            ("/etc/letsencrypt/live/files.example.com/privkey.pem", "key.pem"),
            ("/etc/letsencrypt/live/storage.example.com/fullchain.pem", "cert.pem"),
            ("/etc/letsencrypt/live/storage.example.com/privkey.pem", "key.pem"),
            ("/var/log/nginx/airlock.log", "access.log"),
        ],
    );
    std::fs::write(directory.join("airlock.conf"), site).unwrap();
    // The frame of Debian's nginx.conf, without the directories that belong to root.
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|kind| format!("{kind}_temp_path {kind};\n")).concat();
    let main = format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr;\nevents {{}}\n\
         http {{ gzip on; gzip_types *; gzip_proxied any; {temporary} include airlock.conf; }}\n"
    );
    std::fs::write(directory.join("nginx.conf"), main).unwrap();
    let prefix = format!("{}/", directory.display());
    start("nginx", &["-p", &prefix, "-c", "nginx.conf", "-e", "stderr"], directory)
}

fn caddy(directory: &Path, ports: &Ports) -> Child {
    let [api, storage] = [ports.api, ports.storage].map(|port| format!("reverse_proxy 127.0.0.1:{port} {{"));
    let [api_name, storage_name] =
        [API, STORAGE].map(|name| format!("\nhttps://{name}:{} {{\n\tbind 127.0.0.1", ports.tls));
    let file = replaced(
        &committed("caddy/Caddyfile"),
        &[
            ("\nfiles.example.com {", &api_name),
            ("\nstorage.example.com {", &storage_name),
            ("reverse_proxy 127.0.0.1:8000 {", &api),
            ("reverse_proxy 127.0.0.1:8001 {", &storage),
            ("# tls /etc/ssl/airlock.pem /etc/ssl/airlock.key", "tls cert.pem key.pem"),
        ],
    );
    // Caddy would also listen on port 80 for redirects, and on 2019 for its own API.
    let file = format!("{{\n\tauto_https disable_redirects\n\tadmin off\n}}\n{file}");
    std::fs::write(directory.join("Caddyfile"), file).unwrap();
    start("caddy", &["run", "--config", "Caddyfile", "--adapter", "caddyfile"], directory)
}

/// A certificate for both names, in `cert.pem`, with its key.
async fn certificate(directory: &Path) -> reqwest::Certificate {
    let names = format!("subjectAltName=DNS:{API},DNS:{STORAGE}");
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=airlock", "-keyout", "key.pem", "-out", "cert.pem"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-addext", &names])
        .current_dir(directory)
        .output()
        .await
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    reqwest::Certificate::from_pem(&std::fs::read(directory.join("cert.pem")).unwrap()).unwrap()
}

/// A service behind a proxy, and a client that knows the proxy's names.
struct Proxied {
    service: Service,
    proxy: Child,
    http: reqwest::Client,
    api: String,
    storage: String,
    token: String,
    directory: tempfile::TempDir,
}

impl Proxied {
    async fn start(program: impl FnOnce(&Path, &Ports) -> Child) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ((tls, plain), (api, storage)) = (free_ports(), free_ports());
        let ports = Ports { tls, plain, api, storage };
        let [api, storage] = [API, STORAGE].map(|name| format!("https://{name}:{}", ports.tls));
        let service = Service::start_with(&ENV, |options| {
            options.auth = Auth::Jwt;
            options.listen = format!("127.0.0.1:{}", ports.api).parse().unwrap();
            options.s3_listen = format!("127.0.0.1:{}", ports.storage).parse().unwrap();
            options.public_url = Some(api.parse().unwrap());
            options.s3_url = Some(storage.parse().unwrap());
        })
        .await;
        let here = "127.0.0.1:0".parse().unwrap();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .tls_certs_only([certificate(directory.path()).await])
            .resolve(API, here)
            .resolve(STORAGE, here)
            .build()
            .unwrap();
        let proxy = program(directory.path(), &ports);
        let mut proxied = Self { service, proxy, http, api, storage, token: user_token("ann"), directory };
        wait::until("the proxy to start", async || {
            assert_eq!(proxied.proxy.try_wait().unwrap(), None, "the proxy did not start");
            proxied.http.get(format!("{}/health", proxied.api)).send().await.is_ok()
        })
        .await;
        proxied
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.api)).bearer_auth(&self.token)
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) =
            answer(self.request(Method::POST, path).json(body).send().await.unwrap()).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    /// Announces a file and uploads it, both through the proxy.
    async fn upload(&self, filename: &str, bytes: &[u8]) -> String {
        let accepted = self.post("/files", &json!({ "filename": filename, "size": bytes.len() })).await;
        let url = text(&accepted["upload"]["url"]);
        assert!(url.starts_with(&format!("{}/", self.storage)), "{url}");
        let mut put = self.http.put(url).header("origin", &self.api).body(bytes.to_vec());
        for (name, value) in accepted["upload"]["headers"].as_object().unwrap() {
            if name != "content-length" {
                put = put.header(name, text(value));
            }
        }
        let stored = put.send().await.unwrap();
        assert_eq!(stored.status(), 200, "{}", stored.text().await.unwrap());
        text(&accepted["file_id"])
    }

    /// Sends both requests of a download and returns the bytes of the second.
    async fn download(&self, file_id: &str) -> Vec<u8> {
        let path = format!("/files/{file_id}/download-link");
        let (_, link) = answer(self.request(Method::GET, &path).send().await.unwrap()).await;
        let link = self.http.get(format!("{}{}", self.api, text(&link["download_url"])));
        let redirect = link.send().await.unwrap();
        assert_eq!(redirect.status(), 302);
        let url = redirect.headers()["location"].to_str().unwrap().to_owned();
        assert!(url.starts_with(&format!("{}/", self.storage)), "{url}");
        let file = self.http.get(url).header("accept-encoding", "gzip").send().await.unwrap();
        assert_eq!(file.status(), 200);
        assert_eq!(file.headers()["content-encoding"], "identity", "the proxy compressed the file");
        file.bytes().await.unwrap().to_vec()
    }

    async fn stop(mut self) {
        wait::end_gracefully(&mut self.proxy);
        self.service.stop().await;
    }
}

/// The page, with a policy that lets it upload to the storage, and the storage's permission to do so.
async fn the_page_may_upload(proxied: &Proxied) {
    let page = proxied.http.get(&proxied.api).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains(&format!("connect-src 'self' {};", proxied.storage)), "{policy}");
    for (origin, allowed) in [(&*proxied.api, Some(&*proxied.api)), ("https://evil.example", None)] {
        let preflight = proxied.http.request(Method::OPTIONS, format!("{}/airlock/x", proxied.storage));
        let preflight = preflight
            .header("origin", origin)
            .header("access-control-request-method", "PUT")
            .header("access-control-request-headers", "content-type,x-amz-checksum-sha256");
        let answered = preflight.send().await.unwrap();
        let found = answered.headers().get("access-control-allow-origin");
        assert_eq!(found.map(|value| value.to_str().unwrap()), allowed, "{origin}");
    }
}

/// Uploads a file, reads its verdict from the events, and downloads it.
async fn a_large_file_goes_through(proxied: &Proxied) {
    let events = proxied.request(Method::GET, "/events").send().await.unwrap();
    assert_eq!(events.status(), 200);
    let mut events = Stream::of(events);
    let bytes = b"twenty megabytes\n".repeat(20_000_000 / 17);
    let file_id = proxied.upload("large.txt", &bytes).await;
    // The stream stays open: a proxy that waits for its end, or for a full buffer, delivers nothing.
    let is_verdict =
        |event: &crate::live::Event| event.kind() == "file.scan.completed" && event.file_id() == file_id;
    let seen = events.until(|events| events.iter().any(is_verdict)).await;
    assert_eq!(seen.last().unwrap().data["file_info"]["scan_status"], "clean");
    assert!(proxied.download(&file_id).await == bytes, "the bytes are those that were uploaded");
}

/// A form above the default limit of nginx, and a name that makes a long URL.
async fn forms_and_long_names_pass(proxied: &Proxied) {
    let name = format!("{}.txt", "漢".repeat(250));
    let part = reqwest::multipart::Part::bytes(vec![b'x'; 3_000_000]).file_name(name);
    let form = reqwest::multipart::Form::new().part("file", part);
    let (status, file) =
        answer(proxied.request(Method::POST, "/upload").multipart(form).send().await.unwrap()).await;
    assert!(status.is_success(), "{status} {file}");
    let file_id = text(&file["file_id"]);
    let path = format!("/files/{file_id}/status");
    wait::until("the verdict", async || {
        let (_, answer) = answer(proxied.request(Method::GET, &path).send().await.unwrap()).await;
        answer["file_info"]["scan_status"] == "clean"
    })
    .await;
    assert_eq!(proxied.download(&file_id).await.len(), 3_000_000);
}

/// Absolute URLs in answers have the public name.
async fn answers_name_the_public_url(proxied: &Proxied) {
    let token = proxied.post("/upload-tokens", &json!({})).await;
    let url = text(&token["companion_url"]);
    assert!(url.starts_with(&format!("{}/uppy/t/", proxied.api)), "{url}");
    let report = proxied.service.local.report().to_string();
    for address in [format!("running: {}\n", proxied.api), format!("{}/monitor", proxied.api)] {
        assert!(report.contains(&address), "{report}");
    }
}

async fn all_of_it(proxied: &Proxied) {
    the_page_may_upload(proxied).await;
    a_large_file_goes_through(proxied).await;
    forms_and_long_names_pass(proxied).await;
    answers_name_the_public_url(proxied).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_nginx() {
    let proxied = Proxied::start(nginx).await;
    all_of_it(&proxied).await;
    let log = std::fs::read_to_string(proxied.directory.path().join("access.log")).unwrap();
    assert!(log.contains("\"GET /download/...\" 302"), "{log}");
    assert!(!log.contains("X-Amz-") && !log.contains('?'), "a signature is in the log: {log}");
    proxied.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_caddy() {
    let proxied = Proxied::start(caddy).await;
    all_of_it(&proxied).await;
    proxied.stop().await;
}
