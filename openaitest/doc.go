// Package openaitest is a simulated OpenAI: an [http.Handler] that answers as
// the API does, counts what it would have charged, records what it was sent and
// breaks on request. It is meant for the tests of anything that calls OpenAI,
// and needs neither network nor key.
//
//	srv := openaitest.NewServer(t, openaitest.Options{})
//	client := openai.NewClient(option.WithBaseURL(srv.URL), option.WithAPIKey(srv.Key()))
//
// Served are, plain and, where OpenAI has it, streamed: responses (stored ones and runs
// in the background too), conversations and their items, chat completions (stored ones
// too), embeddings, moderations, models, files, uploads, vector stores, images
// (generations and edits) and audio (speech, transcriptions, translations). Answers and events follow OpenAI's published OpenAPI
// document (version 2.3.0), and so do the members that a request may have: what
// OpenAI refuses (unknown members, wrong types, values out of range, unknown
// models, missing keys) is refused here with the same status, type, code and
// param.
//
// # What the answers say
//
// The text depends on the model and on the last user message alone, so that the
// same question gets the same answer. It comes in deltas of one word, and usage
// counts one output token a delta, and one input token for about four
// characters. max_output_tokens, max_completion_tokens and max_tokens are kept
// to, and end an answer as "length" or "incomplete". A JSON schema as text.format
// or response_format is answered with JSON that satisfies it, as far as it uses
// types, properties, items, enums, constants, bounds, anyOf, allOf and local
// references (not pattern or not).
//
// Phrases in the last user message steer the answer, in any letter case:
//
//   - "call the tool NAME": a call of that tool, when the request declares it;
//     several times for several calls. Custom tools are called on /v1/responses
//     and on plain chats; the chunks of a streamed chat have no shape for them.
//     tool_choice "required" or a named tool has the same effect with no phrase.
//   - "refuse this request": a refusal.
//   - "stop at the length limit": the answer breaks off as if the limit of
//     output tokens had been met.
//   - "write N words": an answer of N words, which is N deltas (at most 100,000).
//   - "repeat after me: TEXT": the rest of the message, word for word.
//   - "think first": 64 reasoning tokens; a reasoning effort has a like effect.
//   - "[[say:TEXT]]", inside the bytes of a recording: what it is transcribed to.
//   - "flag as CATEGORY", on /v1/moderations: that category is flagged, for
//     instance "flag as violence/graphic".
//
// # What it keeps
//
// Stored objects belong to the account: every key sees, changes and deletes all of them,
// as at OpenAI. They are kept in memory, the newest 8,192 of each kind and 256 MiB of
// each kind at most, until [Sim.Reset]. A response with background is queued,
// then in progress, then over, within [Options.Background]; it is charged when it
// is over, to the call that began it. The input of a response that continues
// another, or a conversation, counts what came before.
//
// # Its administration
//
// With [Options.AdminKeys], service accounts and keys of projects can be listed,
// created and deleted as with OpenAI's administration API, and a key is good from
// its creation to its deletion. The header openai-project names the project of the
// key.
//
// # Faults
//
// A [Fault] breaks one call or several. It comes from the request header
// X-Openaitest-Fault, from [Sim.Inject] or the handler [Sim.Control], or, with
// [Options.PromptFaults], from the last user message, which passes through a
// gateway that drops headers: "[[fault:429 retry-after=3]]". [ParseFault] tells
// the notation and [Kind] what each fault does.
//
// Faults that cut or corrupt a connection need a real HTTP/1.1 server; under an
// [net/http/httptest.ResponseRecorder] they panic with [http.ErrAbortHandler].
//
// # What it recorded
//
// [Sim.Calls] returns every call with headers, body (of a multipart one the parts), times, and whether and when
// the client left; [Sim.Wait] waits for a state of that record, so that no test
// has to sleep; [Sim.Units] says what was charged in all and to each key.
//
// Charged is what was generated: nothing for calls that failed before the model
// ran ([Status], [Redirect], [HTML], [Empty], a client that left before [Hang] or
// [Slow] was over), everything for an answer that was only spoiled on its way
// ([Truncated], [Cut] and the like), and for a stream that broke off the input
// and the deltas that were written.
//
// # What it does not do
//
// There are no stored prompts, and no hosted tools but file_search, which looks for
// the last user message (the others are echoed and never run). Pictures have one pixel
// and speech is silent. Images before gpt-image, tts-1 and whisper-1 are billed by other
// things than tokens, and charge none.
// A stored response is not streamed again. Requests may not repeat a member's name:
// OpenAI takes the last one, the simulation refuses, since a gateway should never
// send such a body.
package openaitest
