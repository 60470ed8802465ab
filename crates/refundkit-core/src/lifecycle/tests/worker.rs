//! A worker that does what it is told, a network that does its worst, and a processor that forgets keys after 24 hours:
//! the refund is executed once or not at all, and the books know which.

use proptest::prelude::*;

use super::*;

/// What becomes of one request.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Answered,
    AnswerLost,
    NeverArrived,
    ArrivesLater {
        after_ms: i64,
    },
    Refused,
    TurnedAway,
    /// The process dies after sending; the request arrives all the same.
    ProcessDies {
        after_ms: i64,
    },
}

/// What one round of the worker meets.
#[derive(Debug, Clone, Copy)]
struct Round {
    late_by_ms: i64,
    list_is_readable: bool,
    fate: Fate,
}

const BENIGN: Round = Round { late_by_ms: 0, list_is_readable: true, fate: Fate::Answered };

#[derive(Default)]
struct Processor {
    executions: u32,
    key_known_since: Option<Timestamp>,
    under_way: Vec<Timestamp>,
}

impl Processor {
    fn receives(&mut self, at: Timestamp) {
        if self.key_known_since.is_none_or(|since| at.millis_since(since) >= FORGOTTEN_AFTER_MS) {
            self.executions += 1;
            self.key_known_since = Some(at);
        }
    }

    fn reaches(&mut self, now: Timestamp) {
        let (arrived, under_way): (Vec<Timestamp>, Vec<Timestamp>) = self.under_way.iter().partition(|at| **at <= now);
        self.under_way = under_way;
        for at in arrived {
            self.receives(at);
        }
    }

    fn listed(&self) -> Option<ProcessorRefund> {
        (self.executions > 0).then(|| report(ReportedStatus::Completed))
    }

    /// Answers a request; none: there is nobody left to hear it.
    fn asked(&mut self, fate: Fate, now: Timestamp) -> Option<Outcome<ProcessorRefund>> {
        match fate {
            Fate::Answered => self.receives(now),
            Fate::AnswerLost => {
                self.receives(now);
                return Some(unknown());
            }
            Fate::NeverArrived => return Some(unknown()),
            Fate::ArrivesLater { after_ms } => {
                self.under_way.push(now.plus_millis(after_ms));
                return Some(unknown());
            }
            Fate::Refused if self.executions == 0 => return Some(refused()),
            Fate::Refused => {}
            Fate::TurnedAway => return Some(not_executed()),
            Fate::ProcessDies { after_ms } => {
                self.under_way.push(now.plus_millis(after_ms));
                return None;
            }
        }
        Some(Outcome::Accepted(report(ReportedStatus::Completed)))
    }
}

struct Worker {
    state: State,
    job: Option<Job>,
    processor: Processor,
}

impl Worker {
    fn tells(&mut self, command: Command, now: Timestamp) {
        let decision = decided(&self.state, command, now);
        (self.state, self.job) = (decision.state, decision.job);
    }

    fn sends(&mut self, fate: Fate, now: Timestamp) {
        if let Some(outcome) = self.processor.asked(fate, now) {
            self.tells(Command::SubmissionAnswered(outcome), now);
        }
    }

    fn looks(&mut self, round: Round, now: Timestamp) -> bool {
        let command = if round.list_is_readable {
            Command::LookedFor(self.processor.listed())
        } else {
            Command::LookFailed(unreadable())
        };
        self.tells(command, now);
        round.list_is_readable
    }

    fn works(&mut self, round: Round) {
        let Some(job) = self.job else { return };
        let now = job.run_at.plus_millis(round.late_by_ms);
        self.processor.reaches(now);
        let may_send = match next_step(&self.state, now) {
            Step::Send => true,
            Step::LookThenSend => self.looks(round, now) && self.state.submission().is_some(),
            Step::Look => {
                self.looks(round, now);
                false
            }
            Step::Poll | Step::RepeatCancel | Step::Nothing => false,
        };
        if may_send {
            self.tells(Command::BeginAttempt, now);
            self.sends(round.fate, now);
        }
    }
}

fn any_round() -> impl Strategy<Value = Round> {
    let fate = prop_oneof![
        1 => Just(Fate::Answered),
        3 => Just(Fate::AnswerLost),
        3 => Just(Fate::NeverArrived),
        3 => (0..HOUR_MS).prop_map(|after_ms| Fate::ArrivesLater { after_ms }),
        3 => Just(Fate::Refused),
        3 => Just(Fate::TurnedAway),
        3 => (0..HOUR_MS).prop_map(|after_ms| Fate::ProcessDies { after_ms }),
    ];
    let late_by_ms = prop_oneof![8 => 0..60_000_i64, 1 => 0..30 * HOUR_MS];
    (late_by_ms, any::<bool>(), fate).prop_map(|(late_by_ms, list_is_readable, fate)| Round {
        late_by_ms,
        list_is_readable,
        fate,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn a_refund_is_executed_once_or_not_at_all_and_the_books_know_which(
        first in any_round(),
        rounds in prop::collection::vec(any_round(), 0..40),
    ) {
        let state = State::created_with_first_attempt(start());
        let job = standing_job(&subject(), &state, &Schedule::default(), start());
        let mut worker = Worker { state, job, processor: Processor::default() };
        worker.sends(first.fate, start());
        for round in rounds.into_iter().chain([BENIGN; 4]) {
            worker.works(round);
            prop_assert!(worker.processor.executions <= 1, "paid twice");
            if worker.state.failure().is_some() {
                prop_assert_eq!((worker.processor.executions, worker.processor.under_way.len()), (0, 0), "given up, but paid");
            }
        }
        prop_assert!(!worker.state.is_open(), "never decided: {:?}", worker.state);
        let paid = worker.state.status() == RefundStatus::Completed;
        prop_assert_eq!(worker.processor.executions, u32::from(paid));
    }
}
