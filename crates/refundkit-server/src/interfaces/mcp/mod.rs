//! The door for agents: operations as tools of the Model Context Protocol, over HTTP here and over stdio in `cli/mcp`.
//!
//! Both doors are one [`agents::Agents`] over a [`agents::Backend`]: what a tool is called, takes, answers and says is decided
//! once. The protocol itself is rmcp's; nothing here keeps a session.
//!
//! * `tool`: what an operation is to an agent, and from arguments to its input.
//! * `tools`: the names and words of the tools there are.
//! * `schema`: schemas small enough for a model's context.
//! * `view`: answers as an agent needs them.
//! * `words`: where a refund stands, for customers; and what to do next.
//! * `failure`: errors that an agent can act on.
//! * `plain`: text of others, bounded and harmless.
//! * `agents`: the protocol's handler.
//! * `http`: the door of the server.

pub mod agents;
pub mod failure;
pub mod http;
mod plain;
mod schema;
pub mod tool;
pub mod tools;
pub mod view;
pub(in crate::interfaces) mod words;
