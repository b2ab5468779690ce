// Package claviger is the vocabulary of the gateway: who calls (Principal),
// what they ask (Call), what the policy says (Decision), what is taken from
// their limits (Charge, Hold), and the seams behind which each of those is
// decided. It imports the standard library alone, so that a package on either
// side of a seam needs nothing else to speak to the other.
package claviger

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"claviger.dev/claviger/internal/seal"
)

// Claims are the verified statements of a credential about its holder, by
// name. Values are what JSON gives: string, float64, bool, nil, []any and
// map[string]any. They are read by plan conditions and by nothing else.
type Claims map[string]any

// Credential says how a caller presented who they are.
type Credential int

// The ways of presenting a credential. A cookie is the only one that a browser
// attaches by itself, so it is the only one that needs the origin rule.
const (
	CredentialNone Credential = iota
	CredentialCookie
	CredentialBearer
)

// Principal is a verified caller. (Tenant, Realm, Subject) is the identity
// under which limits, budgets and objects are kept; nothing else of it is.
type Principal struct {
	Tenant  string
	Realm   string
	Subject string
	Roles   []string
	// Method is the name of the authenticator that vouches for the caller.
	Method string
	Claims Claims
	// Presented says how the credential came.
	Presented Credential
	// Expires is when the credential ends. The zero time means that it does
	// not end by itself.
	Expires time.Time
	// Plan, when not empty, is the one plan that this caller may have,
	// whatever the conditions of the others say.
	Plan string
	// Actions, when not nil, are the only actions that this credential is good
	// for, and the proxy is closed to it.
	Actions []string
	// Limits are the limits that come with this credential, beside those of
	// the plan.
	Limits []Limit
	// Service is the name of the service key, when the caller is a server that
	// acts for itself.
	Service string
	// MintedBy is the name of the service key that asked for this credential,
	// when the caller is one of that server's users.
	MintedBy string
	// TokenID is the credential's own id (jti), where it has one, so that it can
	// be revoked by itself.
	TokenID string
	// Issued is when the credential was made; the zero time where it does not
	// say.
	Issued time.Time
}

// Endpoint names a row of the endpoint table, as "chat.completions".
type Endpoint string

// ObjectRef is an object of the provider's account that a call refers to.
type ObjectRef struct {
	// Kind says what it is: "response", "conversation", "item", "file".
	Kind string
	ID   string
	// Param is the place in path or body where the id stands.
	Param string
	// Parent is the id of the object that this one goes away with, as the
	// response of an output item; empty for one that stands by itself. It
	// matters to Claim alone.
	Parent string
	// Tokens is what Claim adds to the most input tokens that the object brings
	// to a call that refers to it. It may be negative, to correct an earlier
	// claim. It matters to Claim alone.
	Tokens int64
}

// BodySource is a request body that has been written anew and can be sent more
// than once. Open may be called again for each attempt and from any goroutine.
type BodySource interface {
	// ContentType is the media type to send, empty for no body.
	ContentType() string
	// Len is the length in bytes.
	Len() int64
	// Open starts reading from the first byte.
	Open() io.ReadCloser
}

// Call is what a caller asks of the provider, after parsing and before or
// after the policy wrote its obligations into it.
type Call struct {
	Endpoint Endpoint
	// Action is the name of the action that makes the call, empty for the proxy.
	Action string
	Model  string
	// NoModel says that the endpoint runs no model, so that there is none to
	// allow and no tokens to pay.
	NoModel bool
	Stream  bool
	// MaxOutput is the most output tokens that the call may produce; 0 where
	// the endpoint produces none.
	MaxOutput int64
	// MaxInput is an upper bound on the input tokens.
	MaxInput int64
	// Extra are upper bounds on what else the call is metered by: how much of
	// its input may be images or sound, how much of its output sound, and its
	// seconds and characters. They are of the whole call, whatever Choices is.
	// A kind that is missing is one that the endpoint does not meter.
	Extra Units
	// MaxToolCalls is the most calls of hosted tools that the provider may make
	// for the call; negative where nothing bounds them.
	MaxToolCalls int64
	// MaxFound is an upper bound on the input tokens that hosted tools add beyond
	// MaxInput, by what they find on the web or print.
	MaxFound int64
	// Choices is how many answers are asked for, at least 1.
	Choices int64
	// Tools are the kinds of the tools that the call brings, each once.
	Tools   []string
	Objects []ObjectRef
	// Method, Path and Query are what goes upstream. Path is relative to the
	// provider's base URL and starts with a slash.
	Method string
	Path   string
	Query  string
	Body   BodySource
	// Media are the media types that the answer may have where it is neither
	// JSON nor an event stream; it is passed on as it comes. One that ends in
	// "/*" stands for its whole class.
	Media []string
	// For is for whom the provider's key is taken, once that is decided.
	For KeyUse
}

// KeyUse says for whom one of the provider's keys is taken, so that actions,
// plans and tenants can have keys of their own. What is empty is nobody's.
type KeyUse struct{ Action, Plan, Tenant string }

// Unit is an amount of one metered thing.
type Unit struct {
	Kind   UnitKind
	Amount int64
}

// UnitKind names what a provider meters.
type UnitKind string

// The metered things. Cached input, images and sound are parts of input, and
// reasoning and sound are parts of output, as OpenAI reports them: all of those
// are tokens. Seconds are of sound that is listened to, and characters of text
// that is spoken; some models are paid by those instead of tokens.
const (
	UnitInput       UnitKind = "input"
	UnitCachedInput UnitKind = "cached_input"
	UnitImageInput  UnitKind = "image_input"
	UnitAudioInput  UnitKind = "audio_input"
	UnitOutput      UnitKind = "output"
	UnitReasoning   UnitKind = "reasoning"
	UnitAudioOutput UnitKind = "audio_output"
	UnitSeconds     UnitKind = "seconds"
	UnitCharacters  UnitKind = "characters"
	// UnitToolCalls stands for the calls of all hosted tools together, in sums.
	UnitToolCalls UnitKind = "tool_calls"
)

const toolCalls = "tool_calls."

// ToolCalls is the kind of the calls of one hosted tool, as "web_search".
func ToolCalls(tool string) UnitKind { return UnitKind(toolCalls + tool) }

// Tool gives the hosted tool whose calls k counts, and false for every other kind.
func (k UnitKind) Tool() (string, bool) { return strings.CutPrefix(string(k), toolCalls) }

// Units are the metered amounts of one call, each kind at most once.
type Units []Unit

// Get returns the amount of one kind, 0 when absent.
func (u Units) Get(k UnitKind) int64 {
	for _, x := range u {
		if x.Kind == k {
			return x.Amount
		}
	}
	return 0
}

// ToolCalls is how many calls of hosted tools there are among the units.
func (u Units) ToolCalls() int64 {
	var n int64
	for _, x := range u {
		if _, ok := x.Kind.Tool(); ok {
			n = AddMicros(n, x.Amount)
		}
	}
	return n
}

// Has reports whether one kind is among the units, be it with 0.
func (u Units) Has(k UnitKind) bool {
	return slices.ContainsFunc(u, func(x Unit) bool { return x.Kind == k })
}

// Obligation is something that a decision forces on a call.
type Obligation struct {
	Kind ObligationKind
	// Limit is the number that ObligeMaxOutput and ObligeMaxInput force, in
	// tokens, and ObligeToolCalls in calls.
	Limit int64
	// Values are what ObligeTools allows: kinds of tools, as "web_search".
	Values []string
}

// ObligationKind names an obligation.
type ObligationKind string

// The obligations. A call that brings more than ObligeMaxInput is refused; a
// larger output cap than ObligeMaxOutput is lowered; a tool that ObligeTools
// does not name is refused. ObligeToolCalls is how many calls of hosted tools are
// asked for where the caller names no number.
const (
	ObligeMaxOutput ObligationKind = "max_output"
	ObligeMaxInput  ObligationKind = "max_input"
	ObligeTools     ObligationKind = "tools"
	ObligeToolCalls ObligationKind = "tool_calls"
)

// Decision is the answer of the policy. The zero value refuses.
type Decision struct {
	Allow bool
	// Plan is the plan that applied, empty when none did.
	Plan string
	// Code says why a call is refused: CodeForbidden, CodeModelNotAllowed or
	// CodeNotFound. Empty means CodeForbidden.
	Code Code
	// Param is the member that was refused, where one was.
	Param string
	// Reason is one sentence for the operator; Rule is the name of the rule
	// that decided, as "plans[1].models".
	Reason string
	Rule   string
	// Models are the plan's model patterns, for listing.
	Models []string
	Oblige []Obligation
	// Limits are what the plan takes from this caller for a call.
	Limits []Limit
	// Shared are what it takes from all callers on the plan together.
	Shared []Limit
}

// Authenticator recognises one kind of credential.
//
// Authenticate reads the headers of r and nothing of its body. It returns
// ErrNoCredential when r carries no credential of its kind, so that the next
// authenticator is asked, and any other error when there is one that is not
// good. It blocks on no network unless its documentation says so, may be
// called concurrently, and changes nothing but the count of a credential that is
// good for so many requests only. On error it denies.
type Authenticator interface {
	Authenticate(ctx context.Context, r *http.Request) (Principal, error)
}

// Challenger is an Authenticator whose kind of credential has a challenge of its
// own, which stands in WWW-Authenticate beside that for bearers. Challenge may
// be empty and does not change.
type Challenger interface {
	Authenticator
	Challenge() string
}

// CookieAuthenticator is an Authenticator that reads a cookie. HasCookie
// reports whether r carries that cookie, good or bad.
type CookieAuthenticator interface {
	Authenticator
	HasCookie(r *http.Request) bool
}

// Authorizer applies the plans. It is a pure function of its arguments, may be
// called concurrently and does not block. On error it denies.
type Authorizer interface {
	Authorize(ctx context.Context, p Principal, c Call) (Decision, error)
}

// SecretSource reads a secret. It may block on files or a child process until
// ctx ends, may be called concurrently, and changes nothing. On error the
// secret counts as missing: it denies.
type SecretSource interface {
	Get(ctx context.Context, ref Ref) (Secret, Version, error)
}

// Authorized is a call that passed every gate. Only the gateway can make one,
// and an Upstream accepts nothing else. The zero value is refused.
type Authorized struct {
	minted    bool
	call      Call
	requestID string
}

// Authorize declares a call authorized. It returns the zero value, which every
// Upstream refuses, unless k was granted and h is a hold.
func Authorize(k seal.Mint, c Call, h Hold, requestID string) Authorized {
	if !k.Granted() || h == nil {
		return Authorized{}
	}
	return Authorized{minted: true, call: c, requestID: requestID}
}

// Valid reports whether the gateway made this value.
func (a Authorized) Valid() bool { return a.minted }

// Call is the call that passed.
func (a Authorized) Call() Call { return a.call }

// RequestID is the id under which the call is logged.
func (a Authorized) RequestID() string { return a.requestID }

// Upstream carries authorized calls to the provider.
//
// RoundTrip returns the provider's answer only when its status is 200. Every
// other outcome is an *Error with a code of this package and nothing of the
// provider's body in Detail but what the contract lets through. It wraps
// ErrNothingDone where the provider certainly did no work; a call whose error
// does not is paid for as it was held. RoundTrip blocks until headers arrive, its
// time limits pass or ctx ends, may be called concurrently, and retries only while
// nothing was answered. The caller closes the body; reading it fails with an
// *Error when the provider stalls or cuts. On error it denies.
type Upstream interface {
	RoundTrip(ctx context.Context, a Authorized) (*http.Response, error)
}

// Owners knows who created which object of the provider's account. Its methods
// may block on a store until ctx ends, may be called concurrently and are
// idempotent. On error they deny.
type Owners interface {
	// Claim makes p the owner of objects that a call of theirs made, and adds
	// the Tokens of each. All of them or none; an object that somebody else owns
	// is an error, and stays theirs.
	Claim(ctx context.Context, p Principal, o ...ObjectRef) error
	// Check returns nil only where p owns every object. Otherwise it is an
	// *Error with CodeNotFound and the Param of the first that is not p's,
	// whether it is somebody else's or unknown. tokens is the most input that
	// the objects bring together.
	Check(ctx context.Context, p Principal, o ...ObjectRef) (tokens int64, err error)
	// Release forgets objects of p that are deleted, with all that name them as
	// their parent. What is not p's stays.
	Release(ctx context.Context, p Principal, o ...ObjectRef) error
	// List gives the ids of p's objects of one kind, a page at a time.
	List(ctx context.Context, p Principal, q ObjectQuery) (ObjectPage, error)
}

// ObjectQuery selects a page of somebody's objects of one kind, the newest
// first unless Ascending.
type ObjectQuery struct {
	Kind string
	// After and Before are ids that the page begins behind or ends before, in
	// the order of the page; empty for none. One that is not the caller's gives
	// an empty page.
	After, Before string
	// Limit is the most ids, at least 1.
	Limit     int
	Ascending bool
}

// ObjectPage is one page of ids. More says that there are others behind it.
type ObjectPage struct {
	IDs  []string
	More bool
}

// Recorder keeps the account of calls. Record does not block the caller on a
// slow store; an error is counted and the call stands. Erase blocks until it
// is done or ctx ends.
type Recorder interface {
	Record(ctx context.Context, e *Event) error
	Erase(ctx context.Context, q Query) (int64, error)
}

// Query selects records of one person.
type Query struct {
	// Subject is the pseudonym under which the records are kept.
	Subject string
}
