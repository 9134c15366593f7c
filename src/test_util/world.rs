//! [`World`]: the executor beside a [`Sim`].

use std::cell::Cell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::channel::oneshot;
use futures::executor::{LocalPool, LocalSpawner};
use futures::future::{AbortHandle, abortable};
use futures::task::LocalSpawnExt;
use pin_project::pin_project;

use super::sim::Sim;

/// Tasks and a [`Sim`]: the tasks run until all of them wait, then the clock jumps to the next
/// timer.
///
/// One thread, no sleep: a wake-up from another thread comes too late to count.
///
/// # Panics
/// When a task panics, and when tasks wake each other for ever while no time passes.
///
/// ```
/// use std::time::Duration;
/// use liveness::test_util::World;
///
/// let hour = Duration::from_secs(3600);
/// let mut world = World::new();
/// let sim = world.sim.clone();
/// let job = world.task(async move {
///     sim.sleep(3 * hour).await;
///     "done"
/// });
/// world.run_for(hour);
/// assert_eq!(world.sim.elapsed(), hour); // the job sleeps on
/// assert_eq!(world.run(job), "done");
/// assert_eq!(world.sim.elapsed(), 3 * hour);
/// ```
#[derive(Debug)]
pub struct World {
    /// The clock of this world. Clone it into whatever takes a runtime.
    pub sim: Sim,
    pool: LocalPool,
    turns: Turns,
}

/// More jumps of the clock than any test needs.
const MOST_JUMPS: u32 = 3_000_000;

/// More polls at one instant than any test needs.
const MOST_TURNS: u32 = 1_000_000;

/// Polls since the clock last moved.
#[derive(Debug, Clone)]
struct Turns {
    sim: Sim,
    at: Rc<Cell<(Instant, u32)>>,
}

impl Turns {
    fn new(sim: Sim) -> Self {
        let at = Rc::new(Cell::new((sim.time(), 0)));
        Self { sim, at }
    }

    fn counted<F: Future>(&self, task: F) -> Counted<F> {
        let turns = self.clone();
        Counted { task, turns }
    }

    fn count(&self) {
        let now = self.sim.time();
        let (at, count) = self.at.get();
        let count = if at == now { count + 1 } else { 1 };
        self.at.set((now, count));
        assert!(
            count < MOST_TURNS,
            "{:?} after the start {count} polls and no time passes",
            self.sim.elapsed()
        );
    }
}

/// A task whose polls are counted.
#[pin_project]
struct Counted<F> {
    #[pin]
    task: F,
    turns: Turns,
}

impl<F: Future> Future for Counted<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.turns.count();
        this.task.poll(cx)
    }
}

/// A task of a [`World`], as a future of its result. Dropping it cancels the task.
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use liveness::test_util::World;
///
/// let mut world = World::new();
/// let worked = Rc::new(Cell::new(0));
/// let work = |n| {
///     let worked = Rc::clone(&worked);
///     world.task(async move { worked.set(worked.get() + n); n })
/// };
/// let (kept, dropped) = (work(1), work(10));
/// drop(dropped);
/// assert_eq!((world.run(kept), worked.get()), (1, 1));
/// ```
#[derive(Debug)]
#[must_use = "dropping a Task cancels it; use spawn for a task without a result"]
pub struct Task<T> {
    result: oneshot::Receiver<T>,
    abort: AbortHandle,
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let result = Pin::new(&mut self.result).poll(cx);
        result.map(|result| result.expect("a world that still exists"))
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

/// Adds tasks to a [`World`]. Clones add to the same one.
///
/// ```
/// use std::time::Duration;
/// use futures::future::join_all;
/// use liveness::test_util::World;
///
/// let mut world = World::new();
/// let (sim, spawner) = (world.sim.clone(), world.spawner());
/// let ended = world.run(async move {
///     // As a server does for each connection.
///     let tasks = (1..=3).map(|n| {
///         let sim = sim.clone();
///         spawner.task(async move { sim.sleep(n * Duration::from_secs(1)).await; n })
///     });
///     join_all(tasks).await
/// });
/// assert_eq!(ended, [1, 2, 3]);
/// assert_eq!(world.sim.elapsed(), Duration::from_secs(3)); // side by side
/// ```
#[derive(Debug, Clone)]
pub struct Spawner {
    pool: LocalSpawner,
    turns: Turns,
}

impl Spawner {
    /// Adds a task.
    ///
    /// # Panics
    /// When the world is gone.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let spawned = self.pool.spawn_local(self.turns.counted(task));
        spawned.expect("a world that still exists");
    }

    /// Adds a task with a result.
    ///
    /// # Panics
    /// When the world is gone.
    pub fn task<T: 'static>(&self, task: impl Future<Output = T> + 'static) -> Task<T> {
        let (tell, result) = oneshot::channel();
        let (task, abort) = abortable(async move {
            // Nobody listens once the Task is dropped.
            let _ = tell.send(task.await);
        });
        self.spawn(task.map(drop));
        Task { result, abort }
    }
}

/// Runs one test in a world of its own: `simulate(async |sim| ..)`.
///
/// ```
/// use std::time::Duration;
/// use liveness::test_util::simulate;
///
/// simulate(async |sim| {
///     sim.sleep(Duration::from_secs(3600)).await;
///     assert_eq!(sim.elapsed(), Duration::from_secs(3600));
/// });
/// ```
///
/// # Panics
/// As [`World::run`] does.
pub fn simulate<T>(test: impl AsyncFnOnce(Sim) -> T) -> T {
    let mut world = World::new();
    let test = test(world.sim.clone());
    world.run(test)
}

impl World {
    /// A world without tasks, at the start of its time.
    pub fn new() -> Self {
        let sim = Sim::new();
        Self {
            turns: Turns::new(sim.clone()),
            sim,
            pool: LocalPool::new(),
        }
    }

    /// Adds tasks to this world, from inside a task too.
    pub fn spawner(&self) -> Spawner {
        Spawner {
            pool: self.pool.spawner(),
            turns: self.turns.clone(),
        }
    }

    /// Adds a task.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.spawner().spawn(task);
    }

    /// Adds a task with a result.
    pub fn task<T: 'static>(&self, task: impl Future<Output = T> + 'static) -> Task<T> {
        self.spawner().task(task)
    }

    /// Runs all tasks until they wait. No time passes.
    pub fn settle(&mut self) {
        self.pool.run_until_stalled();
    }

    /// Runs the world until `main` is done, and leaves the clock there.
    ///
    /// # Panics
    /// When `main` is not done and nothing is left that could happen: no task can run, nothing
    /// waits for time.
    pub fn run<T>(&mut self, main: impl Future<Output = T>) -> T {
        let mut main = pin!(self.turns.counted(main));
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&flag));
        let mut cx = Context::from_waker(&waker);
        for _ in 0..MOST_JUMPS {
            while flag.0.swap(false, Ordering::SeqCst) {
                if let Poll::Ready(done) = main.as_mut().poll(&mut cx) {
                    return done;
                }
                self.settle();
            }
            let Some(next) = self.sim.next_wake() else {
                let elapsed = self.sim.elapsed();
                panic!("{elapsed:?} after the start nothing can happen any more");
            };
            self.sim.advance_to(next);
            self.settle();
        }
        panic!("{MOST_JUMPS} jumps of the clock and not done");
    }

    /// Runs the world for `span`, and leaves the clock at its end.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.sim.time() + span;
        self.settle();
        for _ in 0..MOST_JUMPS {
            let next = self.sim.next_wake().filter(|next| *next <= end);
            self.sim.advance_to(next.unwrap_or(end));
            self.settle();
            if next.is_none() {
                return;
            }
        }
        panic!("{MOST_JUMPS} jumps of the clock and not done");
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}
