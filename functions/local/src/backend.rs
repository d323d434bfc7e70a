//! The stores and queues of a service: the stand-ins, reached through the AWS SDK.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use aws::{
    DeadLetters, Endpoints, EventQueue, Ledger, Objects, PasswordKey, Queues, ScanQueue, Sdk, StaticKeys,
    Stores,
};
use axum::Router;
use axum::middleware::from_fn_with_state;
use standin::InProcess;
use standin::dynamodb::DynamoDb;
use standin::queue::Queue;
use standin::room::Room;
use standin::s3::{Access, Store};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::disk;
use crate::plan::Plan;
use crate::premises::Premises;
use crate::server::serve;
use crate::storage::{LOCAL_BUCKET, Storage, remote_bucket};
use crate::storage_host;

const TABLE: &str = "airlock";
const REGION: &str = "us-east-1";
const SCAN_QUEUE: &str = "airlock-scan";
const EVENT_QUEUE: &str = "airlock-events";
/// `s3s` holds POSTed forms in memory; PUTs are streamed and have no such limit.
const MAX_POST_FORM: u64 = 128 * 1024 * 1024;
/// The search reads every record. DynamoDB too keeps expired items for days, so that nothing relies on it.
const EXPIRE_ITEMS_EVERY: Duration = Duration::from_hours(24);
/// Also on machines that never run for a day.
const FIRST_EXPIRY_AFTER: Duration = Duration::from_hours(1);

/// What the functions store and queue, and the stand-ins that hold it.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) stores: Stores,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) dynamodb: DynamoDb,
    pub(crate) queues: LocalQueues,
    /// The data directory's disk.
    pub(crate) room: Room,
}

/// The queues themselves, behind the protocol.
#[derive(Clone, Debug)]
pub(crate) struct LocalQueues {
    pub(crate) scans: Queue,
    pub(crate) events: Queue,
}

impl Backend {
    /// Opens the stand-ins. What they do by themselves is spawned on `tasks`.
    pub(crate) async fn start(
        plan: &Plan,
        premises: &Premises,
        s3_listener: TcpListener,
        tasks: &mut JoinSet<()>,
    ) -> anyhow::Result<Self> {
        let data_dir = &premises.data_dir.path;
        let room = disk::room(data_dir, plan.functions.scan.limits());
        let store = Store::open(&data_dir.join("s3"), LOCAL_BUCKET).await?.within(room.clone());
        let queues = LocalQueues::open(&store, data_dir).await?;
        let dynamodb = DynamoDb::open(&data_dir.join("dynamodb.db"), TABLE)?;
        tasks.spawn(dynamodb.clone().expire_items(FIRST_EXPIRY_AFTER, EXPIRE_ITEMS_EVERY));
        tasks.spawn(remove_leftovers(store.clone()));
        let sdk = sdk(premises).await;
        let objects = match &plan.storage {
            Storage::Directory => {
                let router = standin::s3::router(store, access(plan, premises));
                tasks.spawn(serve_storage(plan, router.clone(), s3_listener));
                Objects::over(&sdk, LOCAL_BUCKET.to_owned(), InProcess::new(router))
            }
            Storage::Bucket(bucket) => remote_bucket(bucket).await?,
        };
        let sqs = sdk.sqs_over(InProcess::new(standin::sqs::router(queues.named())));
        // The stand-in looks at nothing of a queue's URL but the name at its end.
        let scans = ScanQueue::new(sqs.clone(), SCAN_QUEUE.to_owned(), plan.storage.bucket());
        let dead_letters = scans.dead_letters(format!("{SCAN_QUEUE}{}", standin::sqs::DEAD_LETTERS));
        let events = EventQueue::new(sqs, EVENT_QUEUE.to_owned());
        let events = plan.events.has_receivers().then_some(events);
        let key = PasswordKey::new(&premises.secrets.password_key()).context("`secrets.json`")?;
        let stores = Stores {
            objects,
            ledger: Ledger::new(sdk.dynamodb_over(InProcess::new(dynamodb.router())), TABLE.to_owned()),
            queues: Queues { scans: Some(scans), events },
            tags: plan.tags,
            incoming: plan.incoming.clone(),
            protected: plan.protected.clone(),
            passwords: Some(key),
        };
        Ok(Self { stores, dead_letters, dynamodb, queues, room })
    }
}

impl LocalQueues {
    async fn open(store: &Store, data_dir: &Path) -> anyhow::Result<Self> {
        Ok(Self { scans: store.queue(), events: Queue::open(&data_dir.join("events.db")).await? })
    }

    fn named(&self) -> BTreeMap<String, Queue> {
        let named = [(SCAN_QUEUE, &self.scans), (EVENT_QUEUE, &self.events)];
        named.map(|(name, queue)| (name.to_owned(), queue.clone())).into()
    }
}

/// Removes what a crash left in the storage. A failure is logged: the next start tries again.
async fn remove_leftovers(store: Store) {
    match store.remove_leftovers().await {
        Ok(n_removed) => tracing::debug!(storage.removed = n_removed, "leftovers of a crash removed"),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "leftovers of a crash could not be removed");
        }
    }
}

/// Clients with the data directory's keys; S3 at this service's own addresses.
async fn sdk(premises: &Premises) -> Sdk {
    let (secrets, addresses) = (&premises.secrets, &premises.addresses);
    let keys = StaticKeys {
        access_key_id: secrets.access_key_id.clone(),
        secret_access_key: secrets.secret_access_key.clone(),
    };
    let endpoints =
        Endpoints { s3: Some(addresses.s3_url.clone()), s3_public: Some(addresses.s3_public_url.clone()) };
    Sdk::at(&endpoints, &keys, REGION).await
}

/// The keys that the storage verifies, and the pages that may use it.
fn access(plan: &Plan, premises: &Premises) -> Access {
    let allowed_origins = plan.functions.api.origins.allowed_origins.clone();
    Access {
        access_key_id: premises.secrets.access_key_id.clone(),
        secret_access_key: premises.secrets.secret_access_key.clone(),
        allowed_origins: [premises.addresses.page_origins.clone(), allowed_origins].concat(),
        max_form_bytes: MAX_POST_FORM,
    }
}

/// Serves the storage that browsers upload to. The functions reach it without a connection.
fn serve_storage(
    plan: &Plan,
    storage: Router,
    listener: TcpListener,
) -> impl Future<Output = ()> + Send + use<> {
    let router = storage.layer(from_fn_with_state(plan.storage_host.clone(), storage_host::check));
    let busy = Router::new().fallback(async || standin::s3::slow_down());
    serve(listener, router, plan.options.tuning.connections, busy)
}
