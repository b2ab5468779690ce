package gateway_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/openaitest"
)

// TestCanaries plants every secret, a prompt and an answer, drives the gateway
// through good, bad and broken calls, and searches the log at its finest,
// accounts, answers and formatted values for them (M-S7, M-D1, M-D4).
func TestCanaries(t *testing.T) {
	prompt, answered, name := "prompt"+rand.Text(), "answer"+rand.Text(), "member"+rand.Text()
	r := newRig(t, nil)
	secrets := map[string]string{
		"the upstream key": r.upstreamKey, "the masked key": openaitest.MaskKey(r.upstreamKey), "the ticket secret": r.ticketSecret,
		"the session secret": r.sessionSecret, "the identity key": r.identityKey, "the service key": r.serviceKey,
	}
	ticket, cookie := strings.TrimPrefix(r.ticket("ada"), "Bearer "), r.cookie("grace")
	say := "repeat after me: " + answered
	var answers []string
	keep := func(a answer) {
		answers = append(answers, a.body+fmt.Sprint(a.header))
		if strings.Contains(a.body+fmt.Sprint(a.header), prompt) {
			t.Errorf("a prompt came back: %s", a.body)
		}
	}
	bodies := []struct{ path, body string }{
		{chatPath, chat(prompt)},
		{chatPath, chatStream(prompt)},
		{"/v1/responses", responseStream(prompt)},
		{generatePath, generate(prompt)},
		{chatPath, `{"model":"` + prompt + `","messages":[{"role":"user","content":"hi"}]}`},
		{chatPath, `{"model":"gpt-4.1-mini","messages":[{"role":"user","content":"` + prompt + `"}`},
		{chatPath, `{"model":"gpt-4.1-mini","messages":[{"role":"` + prompt + `","content":"x"}]}`},
		{chatPath, `{"model":"gpt-4.1-mini","messages":[{"role":"system","content":"` + prompt + `"}]}`},
		{chatPath, `{"model":"gpt-4.1-mini","temperature":"` + prompt + `","messages":[]}`},
		{chatPath, `{"a":"` + prompt + `","a":1}`},
		{chatPath, prompt},
		{chatPath, `"` + prompt + "\xff"},
		{generatePath, `{"prompt":["` + prompt + `"]}`},
		{generatePath, generate(strings.Repeat(prompt, 200))},
		{"/actions/assistant", `{"messages":[{"role":"` + prompt + `","content":"x"}]}`},
	}
	for _, f := range []openaitest.Fault{
		{},
		{Kind: openaitest.Status, Status: 401},
		{Kind: openaitest.Status, Status: 400, Message: "Invalid value: '" + prompt + "' of " + r.upstreamKey},
		{Kind: openaitest.Status, Status: 500, Message: prompt},
		{Kind: openaitest.InvalidJSON},
		{Kind: openaitest.Truncated},
		{Kind: openaitest.Leak},
		{Kind: openaitest.Leak, Status: 400},
		{Kind: openaitest.Leak, Status: 500},
		{Kind: openaitest.ErrorEvent},
		{Kind: openaitest.Cut},
		{Kind: openaitest.BadChunk},
		{Kind: openaitest.HTML},
		{Kind: openaitest.Extra},
	} {
		for _, b := range bodies {
			r.sim.Clear()
			if f.Kind != "" {
				r.sim.Inject(f)
			}
			got := r.post(b.path, b.body)
			// What the provider makes of a prompt may hold it; ours may not.
			if got.status != http.StatusOK {
				keep(got)
			}
			answers = append(answers, fmt.Sprint(got.header))
		}
		r.post(chatPath, chat(say))
		r.post(chatPath, chatStream(say))
		r.post(generatePath, generate(say), "Accept", "text/event-stream")
	}
	keep(r.post("/tickets", `{"sub":"`+prompt+`","x":1}`, "Authorization", "Bearer "+r.serviceKey))
	keep(r.post(chatPath, chat("hi"), "Authorization", "Bearer "+prompt))
	keep(r.post(chatPath, chat("hi"), "Authorization", "", "Cookie", cookie+"; x="+prompt))
	keep(r.post("/"+prompt, "x"))
	keep(r.post(chatPath+"?q="+prompt, "x", "X-"+name, prompt))
	keep(r.post(generatePath, "prompt=hi&"+name+"="+prompt, "Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html"))
	broken := r.snapshot
	broken.Authorizer = fakeAuthz(func(context.Context) (claviger.Decision, error) { panic("bad " + prompt) })
	must(t, r.gateway.Swap(broken))
	keep(r.post(chatPath, chat("hi")))
	broken.Authorizer = fakeAuthz(func(context.Context) (claviger.Decision, error) { panic(errors.New(prompt)) })
	must(t, r.gateway.Swap(broken))
	keep(r.post(chatPath, chat("hi")))

	events, err := json.Marshal(r.events.all())
	must(t, err)
	places := map[string]string{
		"the log": r.logs.String(), "the accounts": fmt.Sprintf("%+v %#v %s", r.events.all(), r.events.all(), events), "the answers": strings.Join(answers, "\n"),
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		places["the gateway in "+verb] = fmt.Sprintf(verb, r.gateway)
		places["the snapshot in "+verb] = fmt.Sprintf(verb, r.snapshot)
		places["the options in "+verb] = fmt.Sprintf(verb, r.options)
	}
	private := map[string]string{"a prompt": prompt, "an answer": answered, "a ticket": ticket, "a cookie": cookie, "a subject": `"ada"`}
	for place, text := range places {
		for what, s := range secrets {
			if strings.Contains(text, s) {
				t.Errorf("%s is in %s: …%s…", what, place, around(text, s))
			}
		}
		if place == "the answers" {
			continue
		}
		for what, s := range private {
			if strings.Contains(text, s) && !strings.HasPrefix(place, "the options") {
				t.Errorf("%s is in %s: …%s…", what, place, around(text, s))
			}
		}
	}
	if !strings.Contains(places["the log"], `"route":"chat.completions"`) || len(places["the answers"]) < 1000 {
		t.Error("there was nothing to search")
	}
}

func around(text, s string) string {
	i := strings.Index(text, s)
	return text[max(0, i-200):min(len(text), i+len(s)+80)]
}

// TestEveryRouteAsks: at every route there is, a request without a credential
// gets 401 and the provider hears nothing (M-T4, M-L1).
func TestEveryRouteAsks(t *testing.T) {
	r := newRig(t, nil)
	routes := r.gateway.Routes()
	if len(routes) < 10 {
		t.Fatalf("%d routes only: %v", len(routes), routes)
	}
	for _, rt := range routes {
		method, path, _ := strings.Cut(rt, " ")
		path = strings.ReplaceAll(path, "{model}", "gpt-4.1-mini")
		for _, body := range []string{"", chat("hi"), generate("hi")} {
			if method == http.MethodGet {
				body = ""
			}
			for _, headers := range [][]string{nil, {"Authorization", "Bearer x"}, {"Cookie", "__Secure-authjs.session-token=x", "Origin", ours}, {"Content-Type", "text/plain"}, {"Accept", "text/event-stream"}} {
				a := r.send(method, path, body, append([]string{"Authorization", ""}, headers...)...)
				if a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s with %q: %d %s", rt, headers, a.status, a.body)
				}
				checkAnswerHeaders(t, rt, a)
			}
		}
	}
	if r.calls() != 0 {
		t.Errorf("the provider was called %d times", r.calls())
	}
	t.Logf("%d routes: %v", len(routes), routes)
}
