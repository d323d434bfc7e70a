//! Objects of another application's bucket go through the stack.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use super::zipped;
use crate::support::stack::Stack;
use crate::support::{eicar, sha256, text};

impl Stack {
    /// Its events come through EventBridge. The next sweep tags the file that is released here, and moves
    /// another one to quarantine.
    pub(super) async fn try_protected_bucket(&mut self) {
        let (mut files, mut versions) = (vec![], vec![]);
        // A release is of bytes, wherever they are.
        let hidden = zipped(&eicar()).await;
        let let_go = zipped(&zipped(&zipped(&eicar()).await).await).await;
        for (key, body) in [
            ("in/a b+c%2B.txt", b"stored by another application".to_vec()),
            ("in/let go", let_go.clone()),
            ("in/taken away", hidden.clone()),
            ("in/removed by its application", b"soon gone".to_vec()),
        ] {
            let put = json!({ "do": "put_protected", "key": key, "body": STANDARD.encode(body) });
            versions.push(text(&self.command(put).await["version"]));
            files.push(self.file_named(key.rsplit('/').next().unwrap()).await);
        }
        let [clean, released, moved, removed] = files.try_into().unwrap();
        for (file, status) in [(&clean, "clean"), (&released, "infected"), (&moved, "infected")] {
            self.ends_as(file, status).await;
        }
        self.ends_as(&removed, "clean").await;
        let (status, link) = self.get(&format!("/files/{clean}/download-link")).await;
        assert_eq!(status, 200, "{link}");
        let redirect = self.request(Method::GET, &text(&link["download_url"])).send().await.unwrap();
        let location = redirect.headers()["location"].to_str().unwrap();
        assert!(location.contains("/their-photos/") || location.contains("//their-photos."), "{location}");
        let bytes = self.http.get(location).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(bytes.as_ref(), b"stored by another application");
        self.gives_sample(&moved, &hidden).await;
        let release = json!({ "sha256": sha256(&let_go), "reason": "a test" });
        let (status, body) =
            self.operate(Method::POST, &format!("/files/{released}/release"), Some(release)).await;
        assert_eq!((status, &body["scan_status"]), (200, &json!("released")), "{body}");
        let gone = json!({ "do": "remove_protected", "key": "in/removed by its application",
            "version": versions[3] });
        self.command(gone).await;
        self.becomes(&removed, "deleted").await;
        let deleted = self.authorized(Method::DELETE, &format!("/files/{clean}")).send().await.unwrap();
        assert!(deleted.status().is_success());
        let swept = self.invoke("SweepFunction", json!({ "action": "sweep" })).await;
        assert_eq!(&swept["error"], &Value::Null, "{swept}");
    }
}
