//! The data directory, the addresses and the definitions of a service that starts.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::net::TcpListener;

use crate::data_dir::{DataDir, Secrets};
use crate::definitions::{self, Chosen};
use crate::plan::Plan;
use crate::public_urls::Addresses;

/// What a service has on this machine before any part of it runs.
#[derive(Debug)]
pub(crate) struct Premises {
    pub(crate) data_dir: DataDir,
    pub(crate) secrets: Secrets,
    pub(crate) addresses: Addresses,
    pub(crate) definitions: Chosen,
}

/// The bound ports. They are served when what answers on them is ready.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) api: TcpListener,
    pub(crate) s3: TcpListener,
}

impl Premises {
    /// Locks the data directory, binds the ports and finds definitions, which can take minutes.
    pub(crate) async fn open(plan: &Plan) -> anyhow::Result<(Self, Listeners)> {
        let options = &plan.options;
        let data_dir = DataDir::open(&options.data_dir)?;
        let secrets = data_dir.secrets()?;
        let listeners = Listeners {
            api: bind(options.listen, "--listen").await?,
            s3: bind(options.s3_listen, "--s3-listen").await?,
        };
        let (api, s3) = (listeners.api.local_addr()?, listeners.s3.local_addr()?);
        let addresses = Addresses::of(api, s3, options);
        let definitions =
            definitions::choose(&options.definitions, &data_dir.path, plan.proxy.clone()).await?;
        Ok((Self { data_dir, secrets, addresses, definitions }, listeners))
    }
}

async fn bind(address: SocketAddr, option: &str) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| {
        format!("cannot listen on {address}; is another service there? choose another with {option}")
    })
}
