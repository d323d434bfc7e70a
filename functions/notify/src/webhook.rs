//! Sends webhooks: signed as Standard Webhooks specifies, to an address that is checked after the name was
//! resolved.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use domain::delivery::{Answer, Delivery, EndpointId};
use domain::timestamp::Timestamp;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use settings::ConfigError;
use standardwebhooks::Webhook;

use crate::address::is_public;

/// The endpoints, the signing secrets and the HTTP clients.
pub struct Webhooks {
    endpoints: Vec<Endpoint>,
    /// The current secret first. A request carries a signature of each, so that a rotation loses no event.
    signers: Vec<Webhook>,
    client: reqwest::Client,
    /// For the hosts in `private_hosts`; it also connects to private addresses.
    private_client: reqwest::Client,
    private_hosts: BTreeSet<String>,
}

/// A configured receiver of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub id: EndpointId,
    pub url: Url,
}

/// How long an endpoint may take to answer. An endpoint with more work to do should queue it.
const TIMEOUT: Duration = Duration::from_secs(10);

impl std::fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids: Vec<&EndpointId> = self.endpoints.iter().map(|endpoint| &endpoint.id).collect();
        f.debug_struct("Webhooks").field("endpoints", &ids).finish_non_exhaustive()
    }
}

impl Webhooks {
    /// `private_hosts` are `host:port` pairs that are allowed although they are not public, and without TLS.
    /// Errors: a URL or a secret is unusable, or there are URLs but no secret.
    pub fn new(urls: &[&str], secrets: &[&str], private_hosts: &[&str]) -> Result<Self, ConfigError> {
        Self::with_lookup(urls, secrets, private_hosts, Arc::new(|name| Box::pin(look_up(name))))
    }

    fn with_lookup(
        urls: &[&str],
        secrets: &[&str],
        private_hosts: &[&str],
        lookup: Lookup,
    ) -> Result<Self, ConfigError> {
        let private_hosts: BTreeSet<String> = private_hosts.iter().map(|host| (*host).to_owned()).collect();
        let endpoints =
            urls.iter().map(|url| endpoint(url, &private_hosts)).collect::<Result<Vec<_>, _>>()?;
        if !endpoints.is_empty() && secrets.is_empty() {
            return Err(ConfigError::Missing("WEBHOOK_SECRET"));
        }
        let signers = secrets.iter().map(|secret| signer(secret)).collect::<Result<Vec<_>, _>>()?;
        let client = |resolver: Option<PublicOnly>| {
            let builder = reqwest::Client::builder()
                .redirect(Policy::none())
                .no_proxy()
                .timeout(TIMEOUT)
                .user_agent(concat!("Airlock/", env!("CARGO_PKG_VERSION")));
            let builder = match resolver {
                Some(resolver) => builder.https_only(true).dns_resolver(Arc::new(resolver)),
                None => builder,
            };
            builder.build().map_err(|error| ConfigError::Unsafe(error.to_string()))
        };
        let (public, private) = (client(Some(PublicOnly(lookup)))?, client(None)?);
        Ok(Self { endpoints, signers, client: public, private_client: private, private_hosts })
    }

    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The host of an endpoint, by which operators recognise it; empty if the endpoint is not configured.
    pub(crate) fn host_of(&self, id: &EndpointId) -> String {
        let endpoint = self.endpoints.iter().find(|endpoint| endpoint.id == *id);
        endpoint.and_then(|endpoint| endpoint.url.host_str()).unwrap_or_default().to_owned()
    }

    /// Sends one request. The response's body is not read; a redirect is a failure.
    pub(crate) async fn send(&self, delivery: &Delivery, now: Timestamp) -> Answer {
        let Some(endpoint) = self.endpoints.iter().find(|endpoint| endpoint.id == delivery.endpoint) else {
            return Answer::Failed("the endpoint is no longer configured".to_owned());
        };
        let (id, seconds) = (delivery.event.to_string(), now.as_secs());
        let sign = |signer: &Webhook| signer.sign(&id, seconds, delivery.body.as_bytes());
        let Ok(signatures) = self.signers.iter().map(sign).collect::<Result<Vec<_>, _>>() else {
            return Answer::Failed("the request could not be signed".to_owned());
        };
        let client = if self.is_private(&endpoint.url) { &self.private_client } else { &self.client };
        let request = client
            .post(endpoint.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", seconds.to_string())
            .header("webhook-signature", signatures.join(" "))
            .body(delivery.body.clone());
        match request.send().await {
            Ok(response) if response.status().is_success() => Answer::Accepted,
            Ok(response) if response.status().as_u16() == 410 => Answer::Gone,
            Ok(response) if response.status().is_redirection() => {
                Answer::Failed(format!("{}: redirects are not followed", response.status().as_u16()))
            }
            Ok(response) => Answer::Failed(response.status().as_u16().to_string()),
            // The URL may hold a secret.
            Err(error) => Answer::Failed(aws::log::chain(&error.without_url())),
        }
    }

    fn is_private(&self, url: &Url) -> bool {
        self.private_hosts.contains(&host_and_port(url))
    }
}

/// Reads a secret: `whsec_` and base64, as Standard Webhooks defines it, or a text whose bytes are the key.
fn signer(secret: &str) -> Result<Webhook, ConfigError> {
    const SHORTEST: usize = 24;
    let signer = match secret.strip_prefix("whsec_") {
        Some(encoded) if encoded.len() < SHORTEST.div_ceil(3) * 4 => None,
        Some(_) => Webhook::new(secret).ok(),
        None if secret.len() < SHORTEST => None,
        None => Webhook::from_bytes(secret.as_bytes().to_vec()).ok(),
    };
    signer.ok_or_else(|| {
        let must = "`WEBHOOK_SECRET` must be `whsec_` and base64, or a text of at least 24 bytes";
        ConfigError::Unsafe(must.to_owned())
    })
}

fn host_and_port(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}

/// Reads an endpoint's URL, and refuses one that can be seen to be unusable. Names are checked each time that
/// they are resolved.
fn endpoint(text: &str, private_hosts: &BTreeSet<String>) -> Result<Endpoint, ConfigError> {
    let refused = |why: &str| {
        let host = Url::parse(text).ok().and_then(|url| url.host_str().map(ToOwned::to_owned));
        ConfigError::Unsafe(format!("the webhook at `{}` {why}", host.unwrap_or_default()))
    };
    let url = Url::parse(text).map_err(|_| refused("has an invalid URL"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("has credentials in its URL"));
    }
    if !private_hosts.contains(&host_and_port(&url)) {
        if url.scheme() != "https" || url.port_or_known_default() != Some(443) {
            return Err(refused("is not `https` on port 443"));
        }
        let host = url.host_str().unwrap_or_default();
        let literal: Result<IpAddr, _> = host.trim_start_matches('[').trim_end_matches(']').parse();
        // A literal address is not resolved, so the resolver never sees it.
        if literal.is_ok_and(|address| !is_public(address)) {
            return Err(refused("has an address that is not public"));
        }
    }
    let digest = aws::digest::sha256(text.as_bytes());
    Ok(Endpoint { id: EndpointId::of_digest(digest), url })
}

/// Resolves a name to its addresses.
type Lookup = Arc<dyn Fn(String) -> LookupFuture + Send + Sync>;
type LookupFuture = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

async fn look_up(name: String) -> io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
}

/// Resolves a name once and returns only its public addresses, to which the client then connects. There is no
/// second look-up that could be answered differently.
#[derive(Clone)]
struct PublicOnly(Lookup);

/// A name has no public address.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to no public address")]
struct AddressError;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let found = (self.0)(name.as_str().to_owned());
        Box::pin(async move {
            let public = found.await?.into_iter().filter(|address| is_public(*address));
            let public: Vec<SocketAddr> = public.map(|address| (address, 0).into()).collect();
            if public.is_empty() {
                return Err(AddressError.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use base64::Engine as _;
    use domain::history::EventId;
    use domain::id::FileId;

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn an_endpoint_is_https_on_443_at_a_public_host() {
        let endpoint = |url: &str| Webhooks::new(&[url], &[SECRET], &["127.0.0.1:3000"]).map(|_| ());
        for good in ["https://hooks.example/a?k=v", "https://8.8.8.8/x", "http://127.0.0.1:3000/hook"] {
            assert_eq!(endpoint(good), Ok(()), "{good}");
        }
        for bad in [
            "http://hooks.example/",
            "https://hooks.example:8443/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0177.0.0.1/",
            "https://0x7f.1/",
            "https://[::1]/",
            "https://[::ffff:7f00:1]/",
            "https://169.254.169.254/latest/meta-data",
            "https://user:password@hooks.example/",
            "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next",
            "file:///etc/passwd",
            "not a url",
        ] {
            let refusal = endpoint(bad).unwrap_err().to_string();
            assert!(!refusal.contains("password") && !refusal.contains("meta-data"), "{refusal}");
        }
        assert_eq!(
            Webhooks::new(&["https://a.example/"], &[], &[]).unwrap_err(),
            ConfigError::Missing("WEBHOOK_SECRET")
        );
    }

    #[test]
    fn a_secret_is_standard_or_any_long_text() {
        let body = br#"{"a":1}"#;
        let text = "any text (with punctuation) that is long enough";
        let standard = format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode(text));
        let sign = |secret: &str| signer(secret).unwrap().sign("id", 1_700_000_000, body).unwrap();
        assert_eq!(sign(text), sign(&standard), "receivers have the same key in either form");
        for bad in ["", "short", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"] {
            assert!(signer(bad).is_err(), "{bad}");
        }
    }

    /// A name server that gives each answer once, in this order, and repeats the last one.
    fn rebinding(answers: &'static [&'static str]) -> (Lookup, Arc<AtomicUsize>) {
        let n_lookups = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&n_lookups);
        let lookup: Lookup = Arc::new(move |_| {
            let n = counted.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
            let addresses = answers[n].split(' ').map(|address| address.parse().unwrap()).collect();
            Box::pin(async move { Ok(addresses) })
        });
        (lookup, n_lookups)
    }

    async fn attempt(lookup: Lookup) -> Answer {
        let url = "https://hooks.example/hook";
        let webhooks = Webhooks::with_lookup(&[url], &[SECRET], &[], lookup).unwrap();
        let file = FileId::from_random(aws::clock::random_uuid());
        let now = aws::clock::now();
        let id = webhooks.endpoints()[0].id.clone();
        let delivery = Delivery::new(EventId { file, seq: 1 }, id, "{}".to_owned(), now);
        webhooks.send(&delivery, now).await
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused() {
        for inside in ["127.0.0.1", "10.0.0.1 ::1", "169.254.169.254", "::ffff:7f00:1", "fd00:ec2::254"] {
            let (lookup, _) = rebinding(Box::leak(Box::new([inside])));
            let Answer::Failed(why) = attempt(lookup).await else { panic!("{inside}") };
            assert!(why.contains("no public address"), "{inside}: {why}");
        }
        let resolved =
            PublicOnly(Arc::new(|name| Box::pin(look_up(name)))).resolve("localhost".parse().unwrap());
        assert!(resolved.await.is_err());
    }

    #[tokio::test]
    async fn a_second_answer_is_never_asked_for() {
        // A second look-up would lead the client to this listener. Where the test may not listen on this
        // port, the number of look-ups is the only check.
        let inside = tokio::net::TcpListener::bind("127.0.0.1:443").await.ok();
        let (lookup, n_lookups) = rebinding(&["192.0.2.1 1.1.1.1", "127.0.0.1"]);
        let resolved = PublicOnly(lookup).resolve("hooks.example".parse().unwrap()).await.unwrap();
        assert_eq!(resolved.map(|address| address.ip().to_string()).collect::<Vec<_>>(), ["1.1.1.1"]);
        assert_eq!(n_lookups.load(Ordering::SeqCst), 1);
        let (lookup, n_lookups) = rebinding(&["1.1.1.1", "127.0.0.1"]);
        assert!(matches!(attempt(lookup).await, Answer::Failed(_) | Answer::Gone | Answer::Accepted));
        assert_eq!(n_lookups.load(Ordering::SeqCst), 1);
        if let Some(inside) = inside {
            let knocked = tokio::time::timeout(Duration::from_millis(100), inside.accept()).await;
            assert!(knocked.is_err(), "the second answer was followed");
        }
    }
}
