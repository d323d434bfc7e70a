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
use inspector::Inspector;
use lambda_runtime::{BoxFuture, Error, SnapStartResource};
use tokio::sync::Mutex;

use crate::{Config, Context, PublishedDefinitions, RESERVE, SpoolDirectory, gate_for, handle};

/// One execution environment, with everything that outlives an invocation.
#[derive(Debug)]
pub struct Scanner {
    config: Config,
    engine: Arc<Engine>,
    context: Mutex<Option<Arc<Context>>>,
}

/// Lambda stops an init phase after 10 seconds, and then starts it again from nothing.
const INIT_BUDGET: Duration = Duration::from_secs(8);

impl Scanner {
    pub fn new(config: Config) -> Self {
        let daemon = DaemonConfig {
            program: config.program.clone(),
            launcher: vec![],
            run_directory: config.run_directory(),
            definitions_directory: PublishedDefinitions::link(&config.definition_sets()),
            limits: Config::limits(config.max_file_size, config.scan_timeout),
            start_timeout: Duration::from_mins(1),
        };
        Self { config, engine: Arc::new(Engine::new(daemon, Transport::Stream)), context: Mutex::default() }
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

    /// Stops the engine, when the platform shuts the function down.
    pub async fn stop(&self) {
        self.engine.stop().await;
    }

    /// Handles one batch. Until the scanner is ready, every message is delivered again.
    pub async fn handle(&self, event: SqsEvent, time_left: Duration) -> SqsBatchResponse {
        let began = tokio::time::Instant::now();
        let limit = time_left.saturating_sub(RESERVE);
        match tokio::time::timeout(limit, self.context()).await {
            Ok(Ok(context)) => {
                context.refresh_definitions().await;
                handle(&context, event, time_left.saturating_sub(began.elapsed())).await
            }
            not_ready => {
                let why = match not_ready {
                    Ok(Err(error)) => format!("{error:#}"),
                    _ => "out of time".to_owned(),
                };
                tracing::error!(error = why, "not ready to scan; the batch is delivered again");
                let mut response = SqsBatchResponse::default();
                response.batch_item_failures = event.records.iter().map(aws::batch::named).collect();
                response
            }
        }
    }

    /// Connects and starts the engine, unless that is done. Concurrent calls wait for each other.
    async fn context(&self) -> anyhow::Result<Arc<Context>> {
        let mut slot = self.context.lock().await;
        if let Some(context) = slot.as_ref() {
            return Ok(Arc::clone(context));
        }
        let context = Arc::new(self.connect().await?);
        *slot = Some(Arc::clone(&context));
        Ok(context)
    }

    async fn connect(&self) -> anyhow::Result<Context> {
        let config = &self.config;
        let (run_directory, root) = (config.run_directory(), config.definition_sets());
        std::fs::create_dir_all(&run_directory)?;
        std::fs::create_dir_all(&root)?;
        let (stores, bucket) = self.stores().await?;
        let definitions =
            PublishedDefinitions::new(bucket, config.public_key.clone(), stores.ledger.clone(), root);
        definitions.refresh(&self.engine, aws::clock::now()).await?;
        let limits = Config::limits(config.max_file_size, config.scan_timeout);
        let context = Context {
            stores,
            gate: gate_for(&self.engine, limits, &run_directory).await?,
            inspector: Arc::new(Inspector::start(config.gate_worker.clone(), run_directory.clone()).await?),
            engine: Arc::clone(&self.engine),
            spool: SpoolDirectory(run_directory),
            machine: config.machine,
            incoming: config.incoming,
            recall: true,
            freshness: config.freshness,
            definitions: Some(definitions),
            scan_timeout: config.scan_timeout,
            is_measured: true,
        };
        if context.beat().await?.engine.definitions.kind == DefinitionsKind::TestSet {
            anyhow::bail!("the test definitions are for trials on one machine; they find no real malware");
        }
        Ok(context)
    }

    async fn stores(&self) -> anyhow::Result<(Stores, DefinitionBucket)> {
        let sdk = Sdk::from_environment().await;
        let stores = Stores::from_env(&self.config.env, &sdk)?;
        let stores = Box::pin(stores.with_password_key(&self.config.env, &sdk)).await?;
        Ok((stores, DefinitionBucket::new(&sdk, self.config.definitions_bucket.clone())))
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
