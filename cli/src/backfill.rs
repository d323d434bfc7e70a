//! `backfill`: has the versions judged that were in a bucket before the service protected it.
//!
//! The versions are planned in a file, and sent to the scan queue as the notifications that S3 sends about
//! new ones. The scan function does the rest, on as many machines as it has.

mod arguments;
mod check;
mod collect;
mod csv;
mod interrupt;
mod inventory;
mod left_out;
mod plan;
mod progress;
mod report;
mod send;
mod source;
mod state;

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use aws::{Objects, Sdk, Stores, Versioning};
use settings::{Environment, StoreSettings, UploadSettings};

pub(crate) use self::arguments::Backfill;
use self::interrupt::Interrupt;
use self::plan::{Collected, Plan};
use self::progress::Progress;
use self::report::{Estimate, Standing};
use self::source::Source;
use crate::output::Output;
use crate::{consent, failure};

impl Backfill {
    /// Plans, asks and sends; or with `--check` looks up what became of it. Resumes what was begun before.
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let env = Environment::of_process();
        let (stores, uploads) = StoreSettings::read(&env)
            .and_then(|stores| stores.require_scan_queue().map(|()| stores))
            .and_then(|stores| Ok((stores, UploadSettings::read(&env)?)))
            .context("a backfill needs the environment of the stack's scan function")?;
        let sdk = Sdk::from_environment().await;
        let stores = Stores::connect(&stores, &sdk);
        let job = self.job();
        let source = Source { objects: Objects::new(&sdk, job.bucket.clone()), stores, job };
        let plan = Plan::open(&self.plan(), &source.job)?;
        let run = Run { output, interrupt: Interrupt::listen(), source, plan };
        if self.lookup.check {
            run.check(self.lookup.resend).await
        } else {
            run.send(&self, uploads.max_file_size).await
        }
    }
}

/// A backfill that is being worked on.
struct Run {
    output: Output,
    interrupt: Interrupt,
    source: Source,
    plan: Plan,
}

impl Run {
    async fn send(mut self, how: &Backfill, max_file_size: u64) -> anyhow::Result<ExitCode> {
        if !self.collect().await? {
            return Ok(self.interrupted());
        }
        let to_send = self.plan.to_send(max_file_size)?;
        let estimate = Estimate { to_send, pace: how.pace() };
        self.output.remark(&estimate.text(&self.source.job, &self.plan.left_out()?));
        let asks = to_send.n_versions > 0 && !how.dry_run && !how.yes;
        if how.dry_run || asks && !consent::ask("Send them to be scanned?")? {
            let mut told = self.standing(None)?.json(&self.source.job);
            told["estimate"] = estimate.json();
            self.output.say(&told, "Nothing was sent.")?;
            return Ok(ExitCode::SUCCESS);
        }
        let queue = self.source.stores.queues.scans.clone().context("there is no scan queue")?;
        let progress = Progress::new(self.output, "sent", Some(to_send.n_versions));
        let to = (&self.source.objects, &queue);
        let n_sent = send::send(&mut self.plan, to, how.pace(), &self.interrupt, &progress).await?;
        drop(progress);
        let standing = self.standing(None)?;
        let is_interrupted = self.interrupt.is_set() && standing.by_state.contains_key(&state::State::Unsent);
        let mut told = standing.json(&self.source.job);
        told["n_sent_now"] = n_sent.into();
        told["estimate"] = estimate.json();
        self.output.say(&told, &standing.sent_text(is_interrupted))?;
        Ok(if is_interrupted { ExitCode::from(failure::INTERRUPTED) } else { ExitCode::SUCCESS })
    }

    /// Completes the plan. Returns false after Ctrl-C.
    async fn collect(&mut self) -> anyhow::Result<bool> {
        if self.plan.collected()? == Collected::Nothing && self.source.job.inventory.is_none() {
            let versioning = self.source.objects.versioning().await;
            if versioning.context("the bucket cannot be examined")? == Some(Versioning::Never) {
                bail!(
                    "the bucket `{}` keeps no versions, so no verdict could identify the bytes that it is \
                     about: enable versioning, and copy each object onto itself to give it a version",
                    self.source.job.bucket
                );
            }
        }
        let progress = Progress::new(self.output, "versions found", None);
        collect::collect(&self.source, &self.plan, &self.interrupt, &progress).await
    }

    async fn check(mut self, resends: bool) -> anyhow::Result<ExitCode> {
        if self.plan.collected()? != Collected::Everything {
            bail!("the plan is not complete: run the command without --check first");
        }
        let n_sent = self.standing(None)?.by_state.into_iter();
        let n_sent = n_sent.filter(|(state, _)| *state != state::State::Unsent).map(|(_, n)| n).sum();
        let progress = Progress::new(self.output, "looked up", Some(n_sent));
        let from = (&self.source, &self.source.stores.ledger);
        let checked = check::check(&mut self.plan, from, resends, &self.interrupt, &progress).await?;
        drop(progress);
        let Some(n_without_record) = checked else { return Ok(self.interrupted()) };
        let standing = self.standing(Some(n_without_record))?;
        self.output.say(&standing.json(&self.source.job), &standing.checked_text())?;
        Ok(ExitCode::from(standing.code()))
    }

    fn standing(&self, n_without_record: Option<u64>) -> anyhow::Result<Standing> {
        Ok(Standing { by_state: self.plan.by_state()?, left_out: self.plan.left_out()?, n_without_record })
    }

    fn interrupted(&self) -> ExitCode {
        self.output.remark("Stopped; the same command resumes.");
        ExitCode::from(failure::INTERRUPTED)
    }
}
