//! Runs the scan function on Lambda: starts in the init phase, and finishes starting in the first invocation
//! if need be.
//!
//! Invariant: while there are no definitions, every message is delivered again and no record changes.

use std::sync::Arc;
use std::time::Duration;

use aws::{DefinitionBucket, Sdk, Stores};
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use clamd::{DaemonConfig, Engine, Transport};
use domain::freshness::DefinitionsKind;
use lambda_runtime::{BoxFuture, Error, SnapStartResource};
use tokio::sync::Mutex;

use crate::{
    PublishedDefinitions, RESERVE, RetryPolicy, ScanContext, ScanDependencies, ScanDeployment, handle,
    measure, retry,
};

/// One execution environment, with everything that outlives an invocation.
#[derive(Debug)]
pub struct Scanner {
    deployment: ScanDeployment,
    engine: Arc<Engine>,
    context: Mutex<Option<Arc<ScanContext>>>,
}

/// Lambda stops an init phase after 10 seconds, and then starts it again from nothing.
const INIT_BUDGET: Duration = Duration::from_secs(8);

impl Scanner {
    /// Scans one file at a time, as a Lambda function does.
    pub fn new(deployment: ScanDeployment) -> Self {
        Self::with_workers(deployment, 1, vec![])
    }

    /// Scans up to `n_workers` files concurrently, with an engine that is started by `launcher`.
    pub(crate) fn with_workers(deployment: ScanDeployment, n_workers: u32, launcher: Vec<String>) -> Self {
        let daemon = DaemonConfig {
            program: deployment.program.clone(),
            launcher,
            run_directory: deployment.run_directory(),
            definitions_directory: PublishedDefinitions::link(&deployment.definition_sets()),
            limits: deployment.settings.limits(),
            start_timeout: Duration::from_mins(1),
        };
        let engine = Arc::new(Engine::with_workers(daemon, Transport::Stream, n_workers));
        Self { deployment, engine, context: Mutex::default() }
    }

    /// Starts connecting, and waits until that is done or the init phase is over. The first invocation waits
    /// for the rest.
    pub async fn begin(self: &Arc<Self>) {
        let scanner = Arc::clone(self);
        let begun = tokio::spawn(async move {
            if let Err(error) = scanner.context().await {
                tracing::error!(error = format!("{error:#}"), "not ready to scan");
            }
        });
        if tokio::time::timeout(INIT_BUDGET, begun).await.is_err() {
            tracing::info!("the init phase is over; the first invocation waits for the engine");
        }
    }

    /// Stops the engine, when the platform shuts the function down. Lambda announces that only to functions
    /// that have an extension; it ends the others, and their engines, without a signal.
    pub async fn stop(&self) {
        self.engine.stop().await;
    }

    /// Handles one batch on Lambda. Until the scanner is ready, every message is delivered again.
    pub async fn handle(&self, event: SqsEvent, time_left: Duration) -> SqsBatchResponse {
        let response = Box::pin(self.scan(event, time_left)).await;
        measure::failed_attempts(&response, aws::clock::now());
        response
    }

    pub(crate) async fn scan(&self, event: SqsEvent, time_left: Duration) -> SqsBatchResponse {
        let began = tokio::time::Instant::now();
        let limit = time_left.saturating_sub(RESERVE);
        match tokio::time::timeout(limit, self.context()).await {
            Ok(Ok(context)) => {
                context.refresh_definitions().await;
                // On the heap: if futures were nested any deeper, rustc would refuse to compute the layout of
                // the whole function's.
                let handled = Box::pin(handle(&context, event, time_left.saturating_sub(began.elapsed())));
                let response = handled.await;
                // Lambda freezes the process after the response. An engine whose snapshot is still being
                // downloaded would wait for it at the next thaw, and so would the scan.
                if let Some(definitions) = &context.definitions {
                    definitions.arrived(limit.saturating_sub(began.elapsed())).await;
                }
                response
            }
            not_ready => {
                let why = match not_ready {
                    Ok(Err(error)) => format!("{error:#}"),
                    _ => "out of time".to_owned(),
                };
                tracing::error!(error = why, "not ready to scan; the batch is delivered again");
                self.postpone(&event).await
            }
        }
    }

    /// Has every message delivered again.
    async fn postpone(&self, event: &SqsEvent) -> SqsBatchResponse {
        let stores = Stores::connect(&self.deployment.stores, &Sdk::from_environment().await);
        if let Some(queue) = &stores.queues.scans {
            for message in &event.records {
                retry::schedule(queue, message, RetryPolicy::NOT_READY).await;
            }
        }
        let mut response = SqsBatchResponse::default();
        response.batch_item_failures = event.records.iter().map(aws::batch::named).collect();
        response
    }

    /// Connects and starts the engine, unless that is done. Concurrent calls wait for each other.
    pub(crate) async fn context(&self) -> anyhow::Result<Arc<ScanContext>> {
        let mut slot = self.context.lock().await;
        if let Some(context) = slot.as_ref() {
            return Ok(Arc::clone(context));
        }
        let context = Arc::new(self.connect().await?);
        *slot = Some(Arc::clone(&context));
        Ok(context)
    }

    async fn connect(&self) -> anyhow::Result<ScanContext> {
        let deployment = &self.deployment;
        let (run_directory, root) = (deployment.run_directory(), deployment.definition_sets());
        std::fs::create_dir_all(&run_directory)?;
        std::fs::create_dir_all(&root)?;
        let (stores, bucket) = self.stores().await?;
        let definitions =
            PublishedDefinitions::new(bucket, deployment.public_key.clone(), stores.ledger.clone(), root);
        definitions.refresh(&self.engine, aws::clock::now()).await?;
        let dependencies = ScanDependencies {
            stores,
            engine: Arc::clone(&self.engine),
            definitions: Some(definitions),
            gate_worker: deployment.gate_worker.clone(),
            run_directory,
        };
        let context = ScanContext::new(deployment.settings, dependencies).await?;
        if context.beat().await?.engine.definitions.kind == DefinitionsKind::TestSet {
            anyhow::bail!("the test definitions are for trials on one machine; they find no real malware");
        }
        Ok(context)
    }

    async fn stores(&self) -> anyhow::Result<(Stores, DefinitionBucket)> {
        let sdk = Sdk::from_environment().await;
        let stores = Stores::connect(&self.deployment.stores, &sdk);
        let stores = Box::pin(stores.with_password_key(&self.deployment.passwords, &sdk)).await?;
        Ok((stores, DefinitionBucket::new(&sdk, self.deployment.definitions.bucket.clone())))
    }
}

/// SnapStart, for deployments as a container image: the snapshot contains the loaded engine. What must differ
/// between the environments that are restored from it does: clients, whose connections are dead and whose
/// credentials are those of the init phase, are created anew; ids come from the kernel's generator, which the
/// platform reseeds; time is read per event.
impl SnapStartResource for Scanner {
    fn before_snapshot(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async {
            // A snapshot without definitions only starts more slowly: no reason for a deployment to fail.
            if let Err(error) = self.context().await {
                tracing::error!(error = format!("{error:#}"), "a snapshot without an engine");
            }
            Ok(())
        })
    }

    fn after_restore(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async {
            let mut slot = self.context.lock().await;
            let Some(context) = slot.take() else { return Ok(()) };
            let (stores, bucket) = self.stores().await?;
            let definitions = match &context.definitions {
                Some(definitions) => Some(definitions.reconnected(bucket, stores.ledger.clone()).await),
                None => None,
            };
            // The snapshot may be weeks old, and its set as well. The engine's socket survives the restore;
            // the canary proves it.
            self.engine.check().await?;
            *slot = Some(Arc::new(context.reconnected(stores, definitions)));
            Ok(())
        })
    }
}
