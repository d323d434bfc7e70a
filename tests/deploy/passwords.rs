//! A password that comes with an upload opens the file for its scan on AWS, and is in no answer.

use serde_json::json;
use tokio::process::Command;

use crate::support::eicar;
use crate::support::stack::Stack;

const PASSWORD: &str = "planted-Kennwort-90d2";

/// The password reaches the scan function. Without it, the same bytes are judged anew.
pub(super) async fn open_files(stack: &mut Stack) {
    let locked = locked_archive(&eicar()).await;
    for (password, expected) in [(Some(PASSWORD), "infected"), (None, "unscannable")] {
        let request = json!({ "filename": "locked.zip", "size": locked.len(), "password": password });
        let (file_id, upload) = stack.create_upload(request).await;
        stack.put(&upload, &locked).await;
        stack.ends_as(&file_id, expected).await;
        let (_, status) = stack.get(&format!("/files/{file_id}/status")).await;
        let result = &status["file_info"]["scan_result"];
        assert_eq!(result["used_password"] == true, password.is_some(), "{status}");
        assert!(!status.to_string().contains(PASSWORD), "{status}");
    }
}

/// An encrypted archive with one file in it.
async fn locked_archive(bytes: &[u8]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("inside.txt"), bytes).unwrap();
    let mut pack = Command::new("7zz");
    pack.args(["a", "-bd", "-mem=AES256", "a.zip", "inside.txt"]).arg(format!("-p{PASSWORD}"));
    let packed = pack.current_dir(directory.path()).stdout(std::process::Stdio::null()).status().await;
    assert!(packed.unwrap().success());
    std::fs::read(directory.path().join("a.zip")).unwrap()
}
