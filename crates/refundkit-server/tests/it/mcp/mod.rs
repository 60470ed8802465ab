//! Agents: the tools over HTTP and over stdio, for clients of both generations of the protocol.
//!
//! * `agent`: an agent's client, as small as it can be.
//! * `tools`: what the tools look like, and what they cost.
//! * `calls`: what becomes of calls, the same through every door.
//! * `door`: who is let in, and with what.
//! * `stdio`: what is said when the key or the server is wrong.
//! * `safety`: text of others, repeats, cut connections, nonsense.
//! * `clients`: the official clients.

mod agent;
mod calls;
mod clients;
mod door;
mod safety;
mod stdio;
mod tools;
