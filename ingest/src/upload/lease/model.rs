//! The lease as a protocol: two or three agents with spools of their own take, renew, look, give back and crash in any order,
//! between any two requests of one another, on a store that fails, loses answers and carries out puts late.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Mutex as StdMutex;
use std::task::Poll;

use async_trait::async_trait;
use cauce_lake::store::memory::MemoryStore;
use cauce_lake::store::{Content, List, ListPage, ObjectMeta};
use proptest::prelude::*;

use super::*;

const TIMEOUT: Duration = Duration::from_secs(60);
const AGENTS: usize = 3;

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Answered,
    /// It is not carried out.
    Lost,
    /// It is carried out and its answer is lost.
    AnswerLost,
    /// A put is carried out when [`Action::Land`] says so, long after it was given up.
    Late,
}

#[derive(Debug, Clone)]
enum Action {
    /// Starts an agent that does not run, or lets one that waits try again.
    Take {
        agent: usize,
        take_over: bool,
    },
    Renew(usize),
    Check(usize),
    Release(usize),
    /// Lets an agent's operation go on to its next request or answer.
    Step(usize, Fate),
    Crash(usize),
    Delete,
    Land,
    Wait(Duration),
}

fn action() -> impl Strategy<Value = Action> {
    let agent = || 0..AGENTS;
    let fate = prop_oneof![
        12 => Just(Fate::Answered), 1 => Just(Fate::Lost), 1 => Just(Fate::AnswerLost), 1 => Just(Fate::Late)
    ];
    prop_oneof![
        4 => (agent(), proptest::bool::weighted(0.2)).prop_map(|(agent, take_over)| Action::Take { agent, take_over }),
        3 => agent().prop_map(Action::Renew),
        3 => agent().prop_map(Action::Check),
        1 => agent().prop_map(Action::Release),
        20 => (agent(), fate).prop_map(|(agent, fate)| Action::Step(agent, fate)),
        1 => agent().prop_map(Action::Crash),
        1 => Just(Action::Delete),
        1 => Just(Action::Land),
        3 => prop_oneof![Just(FRESH / 2), Just(FRESH), Just(TIMEOUT / 4), Just(TIMEOUT)].prop_map(Action::Wait),
    ]
}

/// What the store held, and when.
#[derive(Debug)]
struct World {
    store: MemoryStore,
    /// Puts on their way, and whether their agent may take over by force.
    late: Vec<(Put, bool)>,
    /// Every content so far with the time from which on it was there; `None`: nothing.
    history: Vec<(Instant, Option<AgentRecord>)>,
    fate: Fate,
    /// Whether the request that is carried out now may take over by force.
    forced: bool,
    broken: Option<String>,
}

impl World {
    /// What becomes of the next request, and where it goes.
    fn next(&self) -> (Fate, MemoryStore) {
        (self.fate, self.store.clone())
    }

    fn record(&self) -> Option<AgentRecord> {
        serde_json::from_slice(&self.store.content(AGENT_KEY)?).ok()
    }

    /// Notes what a request changed, and whether it might.
    fn note(&mut self) {
        let now = self.record();
        let before = self.history.last().expect("there is a beginning").1.clone();
        if now == before {
            return;
        }
        // A record that was deleted and put back by a probe is as old as it was: it holds no newer heartbeat.
        let written = self.history.iter().find(|(_, there)| *there == before).map_or(Instant::now(), |(at, _)| *at);
        if let (Some(before), Some(now)) = (&before, &now)
            && !now.is_same_start(before)
        {
            let is_old = written.elapsed() >= TIMEOUT;
            if before.released_at.is_none() && before.spool != now.spool && !is_old && !self.forced {
                self.broken = Some(format!("{now:?} took what {before:?} held, {:?} old", written.elapsed()));
            }
            if now.epoch <= before.epoch {
                self.broken = Some(format!("{now:?} came after {before:?}"));
            }
        }
        self.history.push((Instant::now(), now));
    }

    /// Whether a record of this start was there at any time since then.
    fn held_since(&self, record: &AgentRecord, since: Instant) -> bool {
        let ends = self.history.iter().skip(1).map(|(end, _)| Some(*end)).chain([None]);
        self.history.iter().zip(ends).any(|((_, there), end)| {
            end.is_none_or(|end| end >= since) && there.as_ref().is_some_and(|there| there.is_same_start(record))
        })
    }
}

/// The store as one agent reaches it: each request and each answer is a step of its own.
#[derive(Debug, Clone)]
struct Wire(Arc<StdMutex<World>>);

/// Waits for the next step.
async fn step() {
    let mut waited = false;
    std::future::poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

impl Wire {
    fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.0.lock().expect("no step panics")
    }

    fn lost(kind: ErrorKind) -> StoreError {
        StoreError::new(kind, "ask the model's store", "lost on the way")
    }
}

#[async_trait]
impl Store for Wire {
    fn location(&self) -> String {
        "model:".into()
    }

    async fn put(&self, put: Put) -> Result<ETag, StoreError> {
        step().await;
        let (fate, store) = self.world().next();
        let outcome = match fate {
            Fate::Lost => Err(Wire::lost(ErrorKind::Timeout)),
            Fate::Late => {
                let mut world = self.world();
                let force = world.forced;
                world.late.push((put, force));
                Err(Wire::lost(ErrorKind::Timeout))
            }
            Fate::AnswerLost => store.put(put).await.and(Err(Wire::lost(ErrorKind::Timeout))),
            Fate::Answered => store.put(put).await,
        };
        self.world().note();
        step().await;
        outcome
    }

    async fn get(&self, key: &Key) -> Result<(Bytes, ETag), StoreError> {
        step().await;
        let (fate, store) = self.world().next();
        let outcome = match fate {
            Fate::Answered => store.get(key).await,
            _ => Err(Wire::lost(ErrorKind::Unreachable)),
        };
        step().await;
        outcome
    }

    async fn head(&self, _: &Key) -> Result<ObjectMeta, StoreError> {
        unreachable!("a lease is read whole")
    }

    async fn read(&self, _: &Key, _: Option<Range<u64>>) -> Result<Content, StoreError> {
        unreachable!("a lease is read whole")
    }

    async fn list(&self, _: &List) -> Result<ListPage, StoreError> {
        unreachable!("a lease is no list")
    }

    async fn delete(&self, _: &Key) -> Result<(), StoreError> {
        unreachable!("no agent deletes a lease")
    }

    async fn clean_up(&self, _: i64) -> Result<u64, StoreError> {
        unreachable!("a lease leaves nothing behind")
    }
}

enum Done {
    Took(Box<Result<Attempt, LeaseError>>, Observation),
    Looked(Result<(), LeaseError>),
    Released,
}

type Operation = Pin<Box<dyn Future<Output = Done>>>;

#[derive(Default)]
struct Agent {
    operation: Option<(Operation, Instant)>,
    lease: Option<Arc<Lease>>,
    observation: Observation,
    force: bool,
    /// Its spool's journal, which a crash leaves.
    claimed: std::rc::Rc<Cell<u64>>,
}

struct Model {
    wire: Wire,
    agents: [RefCell<Agent>; AGENTS],
}

impl Model {
    fn new() -> Model {
        let world = World {
            store: MemoryStore::new(),
            late: Vec::new(),
            history: vec![(Instant::now(), None)],
            fate: Fate::Answered,
            forced: false,
            broken: None,
        };
        Model { wire: Wire(Arc::new(StdMutex::new(world))), agents: Default::default() }
    }

    fn take(&self, index: usize, take_over: bool) {
        let mut agent = self.agents[index].borrow_mut();
        if agent.operation.is_some() || agent.lease.is_some() {
            return;
        }
        agent.force = take_over;
        let claimed = std::rc::Rc::clone(&agent.claimed);
        let mut claim = Claim {
            id: "agent".into(),
            host: "host".into(),
            process: 1,
            spool: index.to_string(),
            claimed: claimed.get(),
            timeout: TIMEOUT,
            take_over,
        };
        let (store, mut observation): (Arc<dyn Store>, _) =
            (Arc::new(self.wire.clone()), std::mem::take(&mut agent.observation));
        let operation = async move {
            let journal = |epoch| -> Result<(), LeaseError> {
                claimed.set(epoch);
                Ok(())
            };
            let outcome = Lease::attempt(&store, &mut claim, &mut observation, journal).await;
            Done::Took(Box::new(outcome), observation)
        };
        agent.operation = Some((Box::pin(operation), Instant::now()));
    }

    fn ask(&self, index: usize, ask: impl FnOnce(Arc<Lease>) -> Operation) {
        let mut agent = self.agents[index].borrow_mut();
        if let (None, Some(lease)) = (&agent.operation, agent.lease.clone()) {
            agent.operation = Some((ask(lease), Instant::now()));
        }
    }

    /// Lets an agent's operation go one step further, and holds what it ends with against what the store held.
    async fn step(&self, index: usize, fate: Fate) -> Result<(), String> {
        let force = self.agents[index].borrow().force;
        {
            let mut world = self.wire.world();
            (world.fate, world.forced) = (fate, force);
        }
        let Some((mut operation, began)) = self.agents[index].borrow_mut().operation.take() else { return Ok(()) };
        // All steps are within one poll of the runtime, which would run out of its budget.
        let polled =
            tokio::task::unconstrained(std::future::poll_fn(|context| Poll::Ready(operation.as_mut().poll(context))));
        let polled = polled.await;
        let mut agent = self.agents[index].borrow_mut();
        let Poll::Ready(done) = polled else {
            agent.operation = Some((operation, began));
            return Ok(());
        };
        match done {
            Done::Took(outcome, observation) => {
                agent.observation = observation;
                if let Ok(Attempt::Taken(taken)) = *outcome {
                    let held = self.wire.world().held_since(&taken.lease.record, began);
                    agent.lease = Some(Arc::new(taken.lease));
                    return held.then_some(()).ok_or_else(|| format!("agent {index} took what it never had"));
                }
            }
            Done::Looked(Ok(())) => {
                let lease = agent.lease.as_ref().expect("it looked at its lease");
                // A look may be a second old when it is asked for, and older by the time that its answer took.
                if !self.wire.world().held_since(&lease.record, began.checked_sub(FRESH).unwrap_or(began)) {
                    return Err(format!("agent {index} believes that it holds the lake"));
                }
            }
            Done::Looked(Err(error)) if error.is_loss() => agent.lease = None,
            Done::Looked(Err(_)) => {}
            Done::Released => agent.lease = None,
        }
        Ok(())
    }

    async fn act(&self, action: &Action) -> Result<(), String> {
        match action.clone() {
            Action::Take { agent, take_over } => self.take(agent, take_over),
            Action::Renew(agent) => {
                self.ask(agent, |lease| Box::pin(async move { Done::Looked(lease.renew().await) }));
            }
            Action::Check(agent) => {
                self.ask(agent, |lease| Box::pin(async move { Done::Looked(lease.check().await) }));
            }
            Action::Release(agent) => self.ask(agent, |lease| {
                Box::pin(async move {
                    let _ = lease.release().await;
                    Done::Released
                })
            }),
            Action::Step(agent, fate) => self.step(agent, fate).await?,
            Action::Crash(agent) => {
                let claimed = std::rc::Rc::clone(&self.agents[agent].borrow().claimed);
                *self.agents[agent].borrow_mut() = Agent { claimed, ..Agent::default() };
            }
            Action::Delete => {
                let store = self.wire.world().store.clone();
                store.delete(&agent_key()).await.map_err(|error| error.to_string())?;
                self.wire.world().note();
            }
            Action::Land => {
                let late = self.wire.world().late.pop();
                let (_, store) = self.wire.world().next();
                if let Some((put, force)) = late {
                    self.wire.world().forced = force;
                    let _ = store.put(put).await;
                    self.wire.world().note();
                }
            }
            Action::Wait(time) => tokio::time::advance(time).await,
        }
        self.wire.world().broken.take().map_or(Ok(()), Err)
    }

    /// Whatever has happened, a spool that alone goes on takes the lake when the lease's time is over.
    async fn end(&self) -> Result<(), String> {
        for agent in 0..AGENTS {
            self.act(&Action::Crash(agent)).await?;
        }
        for waited in [false, true] {
            if waited {
                self.act(&Action::Wait(TIMEOUT)).await?;
            }
            self.take(0, false);
            while self.agents[0].borrow().operation.is_some() {
                self.step(0, Fate::Answered).await?;
            }
            if self.agents[0].borrow().lease.is_some() {
                return Ok(());
            }
        }
        Err("the lake stays with agents that are gone".into())
    }
}

proptest! {
    #[test]
    fn whoever_believes_to_hold_the_lake_held_it_when_it_looked(actions in prop::collection::vec(action(), 1..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let outcome = runtime.expect("a runtime").block_on(async {
            let model = Model::new();
            for action in &actions {
                model.act(action).await.map_err(|broken| format!("{action:?}: {broken}"))?;
            }
            model.end().await
        });
        prop_assert_eq!(outcome, Ok(()));
    }
}
