package openai

import (
	"slices"
	"strings"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// Policy is what the operator decides about bodies. The zero value is the
// strictest.
type Policy struct {
	// ClientInstructions lets callers send system and developer messages and
	// instructions.
	ClientInstructions bool
	// Store is what the member store is set to, whatever the caller sent.
	Store bool
	// Background lets callers ask for a response that is made later.
	Background bool
	// MaxChoices is the most answers of one call; 0 means 1.
	MaxChoices int64
	// DefaultMaxOutput is the most output tokens of one answer, and what is
	// asked for when the caller names no number; 0 means 4096.
	DefaultMaxOutput int64
	// Tools are the types of tools that callers may bring, out of Tools(); nil
	// means function and custom.
	Tools []string
	// Prompts are the ids of the stored prompts that callers may use. What a
	// stored prompt itself adds to the input is in no bound.
	Prompts []string
	// ServiceTier is set on every generation; empty leaves it to the account.
	ServiceTier string
	// User and Metadata say what becomes of the members of that name: "refuse"
	// (also when empty), "drop" or "forward".
	User, Metadata string
	// Tokens counts the tokens of a text. It is called only when a call might
	// be over its limit by its bytes, which bound the tokens from above. Nil
	// means that the bytes decide.
	Tokens func(model, text string) int64
}

const defaultMaxOutput = 4096

func (p *Policy) maxOutput() int64 {
	if p.DefaultMaxOutput > 0 {
		return p.DefaultMaxOutput
	}
	return defaultMaxOutput
}

func (p *Policy) allowsTool(kind string) bool {
	if p.Tools == nil {
		return kind == "function" || kind == "custom"
	}
	return slices.Contains(p.Tools, kind)
}

// gateInstructions refuses what speaks for the server.
func gateInstructions(w *walker) error {
	if w.policy.ClientInstructions {
		return nil
	}
	return w.refuse("role", whyRole)
}

// gateTool lets a tool of that kind through when the policy names it.
func gateTool(kind string) func(*walker) error {
	return func(w *walker) error { return w.tool(kind, "type") }
}

// gateMember is gateTool for a member that stands for a tool.
func gateMember(kind string) func(*walker) error {
	return func(w *walker) error { return w.tool(kind, "") }
}

func (w *walker) tool(kind, name string) error {
	if !w.policy.allowsTool(kind) {
		return w.refuse(name, whyHosted)
	}
	if !slices.ContainsFunc(w.req.tools, func(t broughtTool) bool { return t.kind == kind }) {
		w.req.tools = append(w.req.tools, broughtTool{kind, w.param(name)})
	}
	return nil
}

// gateSearchItem lets what a search found back in where searching is allowed.
func gateSearchItem(w *walker) error {
	if w.policy.allowsTool("web_search") || w.policy.allowsTool("web_search_preview") {
		return nil
	}
	return w.refuse("type", whyHosted)
}

// untypedItem is a message, or a bare reference to a stored item.
func untypedItem(w *walker, start jsonx.Cursor) (*object, error) {
	item := start.Value()
	if _, ok := item.Get("role"); ok {
		return w.choose(item.Cursor(), messageByRole)
	}
	if _, ok := item.Get("id"); ok {
		return itemReference, nil
	}
	return nil, w.invalid("type", "This member is required")
}

func refuseStored(w *walker, _ jsonx.Value) error { return w.refuse("", whyStored) }

func onlyTextModality(w *walker, v jsonx.Value) error {
	switch {
	case v.Is("text"):
		return nil
	case v.Is("audio"):
		return w.refuse("", whyAudio)
	default:
		return w.invalid("", "Not one of the allowed values")
	}
}

func onlyStandardMode(w *walker, v jsonx.Value) error {
	if v.Is("standard") {
		return nil
	}
	return w.refuse("", whyUnpriced)
}

func checkPrompt(w *walker, v jsonx.Value) error {
	if slices.Contains(w.policy.Prompts, v.Str()) {
		return nil
	}
	return w.refuse("", whyPrompt)
}

// includes lists the values of include, each with the tool that it needs.
var includes = []struct{ name, tool string }{
	{"reasoning.encrypted_content", ""},
	{"message.output_text.logprobs", ""},
	{"message.input_image.image_url", ""},
	{"web_search_call.results", "web_search"},
	{"web_search_call.action.sources", "web_search"},
	{"code_interpreter_call.outputs", "code_interpreter"},
	{"file_search_call.results", "file_search"},
	{"computer_call_output.output.image_url", "computer"},
}

// includes reports whether a value of include may be sent, and else why not.
func (p *Policy) includes(name string) (refusal, bool) {
	for _, x := range includes {
		if name == x.name {
			return whyHosted, x.tool == "" || slices.Contains(p.Tools, x.tool)
		}
	}
	return refusal{claviger.CodeInvalidInput, "Not one of the allowed values"}, false
}

func checkInclude(w *walker, v jsonx.Value) error {
	if why, ok := w.policy.includes(v.Str()); !ok {
		return w.refuse("", why)
	}
	return nil
}

// judge checks a member that is not written.
func (w *walker) judge(f *field, v jsonx.Value) error {
	mark := len(w.out)
	err := w.write(f, v)
	w.out = w.out[:mark]
	return err
}

func takeModel(w *walker, f *field, v jsonx.Value) error {
	// A copy, so that the call does not keep the whole body.
	w.req.call.Model = strings.Clone(v.Str())
	return w.write(f, v)
}

func takeStream(w *walker, f *field, v jsonx.Value) error {
	if err := w.judge(f, v); err != nil || !v.Bool() {
		return err
	}
	w.req.call.Stream = true
	return w.write(f, v)
}

func takeStreamOptions(w *walker, f *field, v jsonx.Value) error {
	if err := w.judge(f, v); err != nil || v.IsNull() {
		return err
	}
	w.req.streamOptions = true
	if x, ok := v.Get("include_usage"); ok {
		w.req.wantsUsage = x.Bool()
	}
	if x, ok := v.Get("include_obfuscation"); ok && !x.IsNull() {
		w.req.obfuscation = jsonx.Bool(x.Bool())
	}
	return nil
}

func takeMaxOutput(w *walker, f *field, v jsonx.Value) error {
	if err := w.judge(f, v); err != nil || v.IsNull() {
		return err
	}
	n, _ := v.Int()
	switch {
	case n < 1:
		return w.invalid("", "Must be at least 1")
	case w.req.maxName != "":
		return w.invalid("", "Send either this member or "+w.req.maxName)
	}
	w.req.maxName, w.req.maxOutput = f.name, n
	return nil
}

func takeChoices(w *walker, f *field, v jsonx.Value) error {
	if err := w.judge(f, v); err != nil || v.IsNull() {
		return err
	}
	n, _ := v.Int()
	if most := max(w.policy.MaxChoices, 1); n < 1 || n > most {
		return w.invalid("", "Must be from 1 to "+itoa(int(most)))
	}
	w.req.call.Choices = n
	return w.write(f, v)
}

// takeAndDrop is for members that the server sets: store, service_tier and
// safety_identifier are accepted from callers for compatibility, and replaced.
func takeAndDrop(w *walker, f *field, v jsonx.Value) error { return w.judge(f, v) }

func takeUser(w *walker, f *field, v jsonx.Value) error {
	kept, err := w.configured(f, v, w.policy.User)
	w.req.own.user = kept
	return err
}

func takeMetadata(w *walker, f *field, v jsonx.Value) error {
	kept, err := w.configured(f, v, w.policy.Metadata)
	w.req.own.metadata = kept
	return err
}

// configured does with a member what the operator said, and reports whether it
// was kept.
func (w *walker) configured(f *field, v jsonx.Value, handling string) (kept bool, err error) {
	if v.IsNull() {
		return false, nil
	}
	switch handling {
	case "forward":
		return true, w.write(f, v)
	case "drop":
		return false, w.judge(f, v)
	default:
		return false, w.refuse("", whyConfigured)
	}
}

func takeInstructions(w *walker, f *field, v jsonx.Value) error {
	if v.IsNull() {
		return nil
	}
	if !w.policy.ClientInstructions {
		return w.refuse("", whyInstructions)
	}
	w.req.own.instructions = true
	return w.write(f, v)
}

func takeBackground(w *walker, f *field, v jsonx.Value) error {
	if err := w.judge(f, v); err != nil || !v.Bool() {
		return err
	}
	if !w.policy.Background {
		return w.refuse("", whyBackground)
	}
	w.req.background = true
	return w.write(f, v)
}

// takeEncrypted takes the content of a reasoning item. Without it the item is a
// reference to what was never stored.
func takeEncrypted(w *walker, f *field, v jsonx.Value) error {
	if v.IsNull() {
		return w.invalid("", f.missing)
	}
	return w.write(f, v)
}

func takePrompt(w *walker, f *field, v jsonx.Value) error {
	if v.IsNull() {
		return nil
	}
	w.req.own.prompt = true
	return w.write(f, v)
}
