//! Killing the service at any moment loses nothing that was acknowledged, restores nothing that was deleted,
//! and leaves no file without a verdict.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::process::{Process, free_ports};
use crate::support::{client, eicar, rounds, text, wait};

#[derive(Default)]
struct Acknowledged {
    uploaded: Vec<(String, bool)>,
    deleted: Vec<String>,
}

/// Uploads until the service is killed, and records what was acknowledged. Every fifth file is deleted again.
async fn upload_until_gone(url: String, known: Arc<Mutex<Acknowledged>>) {
    let http = client();
    for n in 0u32.. {
        let is_bad = n.is_multiple_of(3);
        let bytes = if is_bad { eicar() } else { n.to_be_bytes().repeat(500) };
        let body = json!({ "filename": "a.bin", "size": bytes.len() });
        let Ok(answer) = http.post(format!("{url}/files")).json(&body).send().await else { return };
        let Ok(accepted) = answer.json::<Value>().await else { return };
        let Some(put_url) = accepted["upload"]["url"].as_str() else { return };
        let mut put = http.put(put_url);
        for name in ["content-type", "if-none-match"] {
            put = put.header(name, text(&accepted["upload"]["headers"][name]));
        }
        let Ok(stored) = put.body(bytes).send().await else { return };
        if stored.status() != 200 {
            return;
        }
        let file_id = text(&accepted["file_id"]);
        known.lock().unwrap().uploaded.push((file_id.clone(), is_bad));
        if n % 5 == 4 {
            let Ok(deleted) = http.delete(format!("{url}/files/{file_id}")).send().await else { return };
            if deleted.status() == 204 {
                known.lock().unwrap().deleted.push(file_id);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_kills_lose_nothing() {
    let (directory, ports, known) =
        (tempfile::tempdir().unwrap(), free_ports(), Arc::new(Mutex::new(Acknowledged::default())));
    let n_kills = rounds(8, 100);
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..n_kills {
        let process = Process::start(directory.path(), ports, &[]).await;
        let uploads: Vec<_> = (0..3)
            .map(|_| tokio::spawn(upload_until_gone(process.url.clone(), Arc::clone(&known))))
            .collect();
        // xorshift: the moments differ from kill to kill, and are the same in every run.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // Even on a busy machine, each run of the service accepts an upload that a kill could lose.
        let n_before = known.lock().unwrap().uploaded.len();
        wait::until("an upload", async || known.lock().unwrap().uploaded.len() > n_before).await;
        wait::linger(Duration::from_millis(random % 900)).await;
        process.kill_9().await;
        for upload in uploads {
            upload.await.unwrap();
        }
    }
    let process = Process::start(directory.path(), ports, &[]).await;
    let known = Arc::into_inner(known).unwrap().into_inner().unwrap();
    let http = client();
    let mut undecided = known.uploaded.clone();
    // A scan that the kill interrupted is taken over when its lease expires.
    wait::until_found("every file's end", async || {
        let mut still = Vec::new();
        for (file_id, is_bad) in std::mem::take(&mut undecided) {
            let info: Value = http
                .get(format!("{}/files/{file_id}", process.url))
                .send()
                .await
                .unwrap()
                .json()
                .await
                .unwrap();
            let status = info["scan_status"]
                .as_str()
                .unwrap_or_else(|| panic!("{file_id} is lost: {info}"))
                .to_owned();
            let is_deleted = known.deleted.contains(&file_id);
            match status.as_str() {
                "pending" | "scanning" if !is_deleted => still.push((file_id, is_bad)),
                "deleted" => {}
                other => {
                    assert!(!is_deleted, "{file_id} was deleted and is {other} again");
                    assert_eq!(other, if is_bad { "infected" } else { "clean" }, "{info}");
                }
            }
        }
        undecided = still;
        if undecided.is_empty() { Ok(()) } else { Err(undecided.clone()) }
    })
    .await;
    let listing: Value =
        http.get(format!("{}/files?limit=100", process.url)).send().await.unwrap().json().await.unwrap();
    for file in listing["files"].as_array().unwrap() {
        assert!(!known.deleted.contains(&text(&file["file_id"])), "a deleted file is listed: {file}");
    }
    println!(
        "{n_kills} kills, {} uploads, {} deletions acknowledged; none lost",
        known.uploaded.len(),
        known.deleted.len()
    );
    process.kill_9().await;
}
