//! The layer's engines come to the same verdicts in an empty root as this machine's clamd does with all of
//! its system.

use std::path::PathBuf;

use clamd::{DaemonConfig, Engine, EngineProgram, Transport};

use super::EmptyRoot;
use crate::equality::{config, files, replies, write_definitions};
use crate::support::lambda_machine::NATIVE;

/// The replies of the layer's engine in the empty root, by file.
async fn in_the_root(root: &EmptyRoot, program: EngineProgram, files: &[PathBuf]) -> Vec<String> {
    let config = config(&root.path("tmp/run"), program, &root.path("tmp/definitions"));
    let engine = Engine::new(DaemonConfig { launcher: root.launcher(), ..config }, Transport::Descriptor);
    let said = replies(&engine, files).await;
    engine.stop().await;
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn the_layer_and_this_machine_come_to_the_same_verdicts() {
    let root = EmptyRoot::with_layer(NATIVE);
    write_definitions(&root.path("tmp/definitions"));
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    let corpus = directory.path().join("corpus");
    let files = tokio::task::spawn_blocking(move || files(&corpus)).await.unwrap();

    let here = config(
        &directory.path().join("h"),
        EngineProgram::Clamd("clamd".into()),
        &root.path("tmp/definitions"),
    );
    let here = Engine::new(here, Transport::Descriptor);
    let version = here.ensure_running().await.unwrap().version;
    let expected = replies(&here, &files).await;
    here.stop().await;
    let found = |name: &str| {
        let n = files.iter().position(|path| path.ends_with(format!("corpus/{name}.html"))).unwrap();
        expected[n].contains("Test.Html")
    };
    assert!(["UTF-16LE", "UTF-32LE", "UTF-32BE", "ISO-2022-KR"].into_iter().all(found));

    for program in [
        EngineProgram::Clamd("/opt/bin/clamd".into()),
        EngineProgram::AirlockEngine("/opt/bin/airlock-engine".into()),
    ] {
        let said = in_the_root(&root, program.clone(), &files).await;
        let differences: Vec<_> = files
            .iter()
            .zip(expected.iter().zip(&said))
            .filter(|(_, (expected, said))| expected != said)
            .collect();
        assert!(differences.is_empty(), "{program:?}, {version} here: {differences:#?}");
    }
}
