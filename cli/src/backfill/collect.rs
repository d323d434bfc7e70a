//! Fills the plan from a listing of the bucket, or from an inventory.

use anyhow::Context as _;

use super::interrupt::Interrupt;
use super::inventory;
use super::left_out::LeftOut;
use super::plan::{Collected, Found, Plan};
use super::progress::Progress;
use super::source::Source;

/// Collects what is not in the plan yet. Returns whether the plan is complete: it is not after Ctrl-C.
pub(crate) async fn collect(
    source: &Source,
    plan: &Plan,
    interrupt: &Interrupt,
    progress: &Progress,
) -> anyhow::Result<bool> {
    match &source.job.inventory {
        Some((bucket, key)) => {
            inventory::collect(source, (bucket.as_str(), key.as_str()), plan, interrupt, progress).await
        }
        None => list(source, plan, interrupt, progress).await,
    }
}

async fn list(
    source: &Source,
    plan: &Plan,
    interrupt: &Interrupt,
    progress: &Progress,
) -> anyhow::Result<bool> {
    let now = aws::clock::now();
    let mut after = match plan.collected()? {
        Collected::Everything => return Ok(true),
        Collected::UpTo(mark) => Some(mark),
        Collected::Nothing | Collected::Files(_) => None,
    };
    loop {
        if interrupt.is_set() {
            return Ok(false);
        }
        let page = source.objects.contents(&source.job.prefix, after, now).await;
        let page = page.context("the bucket cannot be listed (s3:ListBucketVersions)")?;
        let mut found = Found::default();
        if page.n_delete_markers > 0 {
            found.left_out.entry(LeftOut::DeleteMarker).or_default().n = page.n_delete_markers;
        }
        for version in page.versions {
            source.sort(version, &mut found);
        }
        progress.collected(&found);
        plan.begin_part()?;
        plan.add(&found)?;
        let Some(next) = page.next else {
            plan.finish_part(&Collected::Everything)?;
            return Ok(true);
        };
        plan.finish_part(&Collected::UpTo(next.clone()))?;
        after = Some(next);
    }
}
