//! Every query of the Grafana dashboard selects metrics that `/metrics` returns, and every legend uses labels
//! that these metrics have.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Service, eicar, python, wait};

/// The metric selectors of a query are the words that begin with `airlock_`, with their label matchers.
/// Prints those that select nothing, and legends of labels that are not there.
const SCRIPT: &str = r#"
import json, re, sys
from prometheus_client.parser import text_string_to_metric_families
given = json.load(sys.stdin)
samples = [sample for family in text_string_to_metric_families(given["text"]) for sample in family.samples]
problems, n_queries = [], 0
for panel in given["dashboard"]["panels"]:
    for target in panel["targets"]:
        n_queries += 1
        selectors = re.findall(r"(airlock_\w+)(?:\{([^}]*)\})?", target["expr"])
        found = []
        for name, matchers in selectors:
            matchers = dict(re.findall(r'(\w+)="([^"]*)"', matchers))
            selected = [s for s in samples if s.name == name and matchers.items() <= s.labels.items()]
            found += selected
            if not selected and name not in given["absent"]:
                problems.append(f"{panel['title']}: nothing is {name} {matchers}")
        # Prometheus adds the instance.
        labels = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) - {"instance"}
        if not selectors or any(not labels <= s.labels.keys() for s in found):
            problems.append(f"{panel['title']}: {target['expr']} has no {labels}")
print(json.dumps({"problems": problems, "queries": n_queries}))
"#;

/// The metrics of definitions that the test definitions do not have.
const ABSENT: &str = "definitions_age_hours";

fn committed(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

fn checked(text: &str, dashboard: &Value) -> Value {
    let absent = [format!("airlock_{ABSENT}")];
    let input = json!({ "text": text, "dashboard": dashboard, "absent": absent });
    serde_json::from_str(&python(SCRIPT, &input)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_the_dashboard_finds_its_metrics() {
    let service = Service::start().await;
    for (name, bytes, status) in [("a.txt", b"good".to_vec(), "clean"), ("b.txt", eicar(), "infected")] {
        let file_id = service.upload(name, &bytes).await;
        service.ends_as(&file_id, status).await;
    }
    let metrics =
        async || service.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    let text = wait::until_found("both verdicts to be counted", async || {
        let text = metrics().await;
        let counted =
            ["clean", "infected"].map(|status| format!("airlock_files_24h{{status=\"{status}\"}} 1"));
        if counted.iter().all(|line| text.contains(line)) { Ok(text) } else { Err(text) }
    })
    .await;
    let mut dashboard: Value = serde_json::from_str(&committed("deploy/grafana/airlock.json")).unwrap();
    assert!(committed("functions/api/src/admin/metrics.rs").contains(&format!("\"{ABSENT}\"")));
    let found = checked(&text, &dashboard);
    assert_eq!(found["problems"], json!([]), "{text}");
    assert!(found["queries"].as_u64().unwrap() >= 10, "{found}");
    // The check itself: a misspelt metric and a label that does not exist are found.
    let targets = &mut dashboard["panels"][0]["targets"];
    *targets = json!([
        { "expr": "airlock_dead_leters", "legendFormat": "" },
        { "expr": "airlock_files_24h", "legendFormat": "{{verdict}}" },
        { "expr": "airlock_scan_24h_seconds{quantile=\"0.9\"}", "legendFormat": "" },
    ]);
    let found = checked(&text, &dashboard);
    assert_eq!(found["problems"].as_array().unwrap().len(), 3, "{found}");
    service.stop().await;
}
