package gateway_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/gateway"
	"claviger.dev/claviger/keys"
	"claviger.dev/claviger/openai"
	"claviger.dev/claviger/openaitest"
	"claviger.dev/claviger/owner"
)

// owned opens every endpoint, to be used with an owner.Memory.
func owned(t testing.TB) func(*parts) {
	return func(p *parts) {
		guard, err := owner.New(owner.Options{
			Store: owner.NewMemory(), Pseudonym: p.snapshot.Pseudonym, Now: time.Now,
		})
		must(t, err)
		p.snapshot.Owners = guard
		p.plans[0].Models = append(p.plans[0].Models, "gpt-image-1")
		p.snapshot.Proxy = &gateway.Proxy{Policy: openai.Policy{Store: true, Metadata: "forward", Tools: openai.Tools()}}
		for _, row := range openai.Rows() {
			p.snapshot.Proxy.Endpoints = append(p.snapshot.Proxy.Endpoints, row.Name)
		}
	}
}

// things are the objects of one user, by kind.
type things map[string]string

// made makes one object of each kind for a user.
func made(t *testing.T, r *rig, who string) things {
	t.Helper()
	create := func(path, body string) string {
		t.Helper()
		a := r.post(path, body, "Authorization", r.ticket(who))
		id := field(a.body, "id")
		if a.status != http.StatusOK || id == "" {
			t.Fatalf("POST %s: %d %s", path, a.status, a.body)
		}
		return id
	}
	th := things{
		openai.KindResponse:     create("/v1/responses", `{"model":"gpt-4.1-mini","input":"my secret plan of `+who+`"}`),
		openai.KindCompletion:   create("/v1/chat/completions", chat("my secret plan of "+who)),
		openai.KindConversation: create("/v1/conversations", `{"items":[{"role":"user","content":"my secret plan of `+who+`"}]}`),
	}
	a := r.post("/v1/conversations/"+th[openai.KindConversation]+"/items", `{"items":[{"role":"user","content":"more"}]}`, "Authorization", r.ticket(who))
	if a.status != http.StatusOK {
		t.Fatalf("items: %d %s", a.status, a.body)
	}
	_, rest, _ := strings.Cut(a.body, `"data":[`)
	th[openai.KindItem] = field(strings.TrimSuffix(rest, "]"), "id")
	a = r.post("/v1/files", formOf(t, "file", "my secret plan of "+who, "purpose", "vision"), "Authorization", r.ticket(who), "Content-Type", formType)
	th[openai.KindFile] = field(a.body, "id")
	th[openai.KindUpload] = create("/v1/uploads", `{"filename":"plan.txt","mime_type":"text/plain","purpose":"vision","bytes":`+strconv.Itoa(len(partText))+`}`)
	a = r.post("/v1/uploads/"+th[openai.KindUpload]+"/parts", formOf(t, "data", partText), "Authorization", r.ticket(who), "Content-Type", formType)
	th[openai.KindUploadPart] = field(a.body, "id")
	th[openai.KindVectorStore] = create("/v1/vector_stores", `{"name":"secret plans","file_ids":["`+th[openai.KindFile]+`"]}`)
	th[openai.KindFileBatch] = create("/v1/vector_stores/"+th[openai.KindVectorStore]+"/file_batches", `{"file_ids":["`+th[openai.KindFile]+`"]}`)
	return th
}

// field reads a string member that stands first of its name in a text.
func field(body, name string) string {
	_, rest, ok := strings.Cut(body, `"`+name+`":"`)
	if !ok {
		return ""
	}
	v, _, _ := strings.Cut(rest, `"`)
	return v
}

// sample is a request that names an object: path and body with {kind} where the
// id of one stands.
type sample struct{ endpoint, path, body string }

// pathSamples are requests at every endpoint whose path names an object.
var pathSamples = []sample{
	{"responses.retrieve", "/responses/{response}", ""},
	{"responses.delete", "/responses/{response}", ""},
	{"responses.cancel", "/responses/{response}/cancel", ""},
	{"responses.input_items", "/responses/{response}/input_items", ""},
	{"conversations.retrieve", "/conversations/{conversation}", ""},
	{"conversations.update", "/conversations/{conversation}", `{"metadata":{"a":"b"}}`},
	{"conversations.delete", "/conversations/{conversation}", ""},
	{"conversations.items.create", "/conversations/{conversation}/items", `{"items":[{"role":"user","content":"x"}]}`},
	{"conversations.items.list", "/conversations/{conversation}/items", ""},
	{"conversations.items.retrieve", "/conversations/{conversation}/items/{item}", ""},
	{"conversations.items.delete", "/conversations/{conversation}/items/{item}", ""},
	{"chat.completions.retrieve", "/chat/completions/{completion}", ""},
	{"chat.completions.update", "/chat/completions/{completion}", `{"metadata":{"a":"b"}}`},
	{"chat.completions.delete", "/chat/completions/{completion}", ""},
	{"chat.completions.messages", "/chat/completions/{completion}/messages", ""},
	{"files.retrieve", "/files/{file}", ""},
	{"files.content", "/files/{file}/content", ""},
	{"files.delete", "/files/{file}", ""},
	{"uploads.parts", "/uploads/{upload}/parts", formSample},
	{"uploads.complete", "/uploads/{upload}/complete", `{"part_ids":["{own upload_part}"]}`},
	{"uploads.cancel", "/uploads/{upload}/cancel", ""},
	{"vector_stores.retrieve", "/vector_stores/{vector_store}", ""},
	{"vector_stores.update", "/vector_stores/{vector_store}", `{"name":"other plans"}`},
	{"vector_stores.delete", "/vector_stores/{vector_store}", ""},
	{"vector_stores.search", "/vector_stores/{vector_store}/search", `{"query":"plan"}`},
	{"vector_stores.files.create", "/vector_stores/{vector_store}/files", `{"file_id":"{own file}"}`},
	{"vector_stores.files.list", "/vector_stores/{vector_store}/files", ""},
	{"vector_stores.files.retrieve", "/vector_stores/{vector_store}/files/{own file}", ""},
	{"vector_stores.files.retrieve", "/vector_stores/{own vector_store}/files/{file}", ""},
	{"vector_stores.files.update", "/vector_stores/{vector_store}/files/{own file}", `{"attributes":{"a":1}}`},
	{"vector_stores.files.update", "/vector_stores/{own vector_store}/files/{file}", `{"attributes":{"a":1}}`},
	{"vector_stores.files.content", "/vector_stores/{vector_store}/files/{own file}/content", ""},
	{"vector_stores.files.content", "/vector_stores/{own vector_store}/files/{file}/content", ""},
	{"vector_stores.files.delete", "/vector_stores/{vector_store}/files/{own file}", ""},
	{"vector_stores.file_batches.create", "/vector_stores/{vector_store}/file_batches", `{"file_ids":["{own file}"]}`},
	{"vector_stores.file_batches.retrieve", "/vector_stores/{vector_store}/file_batches/{own file_batch}", ""},
	{"vector_stores.file_batches.retrieve", "/vector_stores/{own vector_store}/file_batches/{file_batch}", ""},
	{"vector_stores.file_batches.files", "/vector_stores/{vector_store}/file_batches/{own file_batch}/files", ""},
	{"vector_stores.file_batches.files", "/vector_stores/{own vector_store}/file_batches/{file_batch}/files", ""},
	{"vector_stores.file_batches.cancel", "/vector_stores/{vector_store}/file_batches/{own file_batch}/cancel", ""},
	{"vector_stores.file_batches.cancel", "/vector_stores/{own vector_store}/file_batches/{file_batch}/cancel", ""},
}

// formSample stands for a form with a part of an upload.
const formSample = "form"

func (s sample) headers(t *testing.T, body string) (string, []string) {
	if body == formSample {
		return formOf(t, "data", partText), []string{"Content-Type", formType}
	}
	return body, nil
}

// endsBefore are endpoints that the provider itself refuses for what is over.
var endsBefore = []string{"responses.cancel", "uploads.cancel", "vector_stores.file_batches.cancel"}

// fieldSamples are requests at every place of a body where an id may stand; the
// place is that of openai.References.
var fieldSamples = []struct {
	place string
	sample
}{
	{"previous_response_id", sample{"responses", "/responses", `{"model":"gpt-4.1-mini","input":"go on","previous_response_id":"{response}"}`}},
	{"conversation", sample{"responses", "/responses", `{"model":"gpt-4.1-mini","input":"go on","conversation":"{conversation}"}`}},
	{"conversation.id", sample{"responses", "/responses", `{"model":"gpt-4.1-mini","input":"go on","conversation":{"id":"{conversation}"}}`}},
	{"input[].id", sample{"responses", "/responses", `{"model":"gpt-4.1-mini","input":[{"role":"user","content":"x"},{"type":"item_reference","id":"{item}"}]}`}},
	{"items[].id", sample{"conversations.create", "/conversations", `{"items":[{"type":"item_reference","id":"{item}"}]}`}},
	{"items[].id", sample{"conversations.items.create", "/conversations/{own conversation}/items", `{"items":[{"type":"item_reference","id":"{item}"}]}`}},
	{"input[].content[].file_id", sample{"responses", "/responses", `{"model":"gpt-4.1-mini","input":[{"role":"user","content":[` + imageByID + `]}]}`}},
	{"input[].output[].file_id", sample{"responses", "/responses", `{"model":"gpt-4.1-mini","input":[` + calledBefore + `,{"type":"function_call_output","call_id":"c","output":[` + imageByID + `]}]}`}},
	{"tools[].vector_store_ids[]", sample{"responses", "/responses", `{"model":"gpt-4.1-mini","input":"plan","tools":[{"type":"file_search","vector_store_ids":["{own vector_store}","{vector_store}"]}]}`}},
	{"items[].content[].file_id", sample{"conversations.create", "/conversations", `{"items":[{"role":"user","content":[` + imageByID + `]}]}`}},
	{"items[].output[].file_id", sample{"conversations.create", "/conversations", `{"items":[{"type":"function_call_output","call_id":"c","output":[` + imageByID + `]}]}`}},
	{"items[].content[].file_id", sample{"conversations.items.create", "/conversations/{own conversation}/items", `{"items":[{"role":"user","content":[` + imageByID + `]}]}`}},
	{"items[].output[].file_id", sample{"conversations.items.create", "/conversations/{own conversation}/items", `{"items":[{"type":"function_call_output","call_id":"c","output":[` + imageByID + `]}]}`}},
	{"part_ids[]", sample{"uploads.complete", "/uploads/{own upload}/complete", `{"part_ids":["{upload_part}"]}`}},
	{"file_ids[]", sample{"vector_stores.create", "/vector_stores", `{"file_ids":["{own file}","{file}"]}`}},
	{"file_id", sample{"vector_stores.files.create", "/vector_stores/{own vector_store}/files", `{"file_id":"{file}"}`}},
	{"file_ids[]", sample{"vector_stores.file_batches.create", "/vector_stores/{own vector_store}/file_batches", `{"file_ids":["{file}"]}`}},
	{"files[].file_id", sample{"vector_stores.file_batches.create", "/vector_stores/{own vector_store}/file_batches", `{"files":[{"file_id":"{file}"}]}`}},
	{"images[].file_id", sample{"images.edits", "/images/edits", `{"model":"gpt-image-1","prompt":"a hat","images":[{"file_id":"{file}"}]}`}},
	{"mask.file_id", sample{"images.edits", "/images/edits", `{"model":"gpt-image-1","prompt":"a hat","images":[{"file_id":"{own file}"}],"mask":{"file_id":"{file}"}}`}},
}

const (
	imageByID    = `{"type":"input_image","file_id":"{file}"}`
	calledBefore = `{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}`
)

func (s sample) with(theirs, own things) (path, body string) {
	var pairs []string
	for kind, id := range theirs {
		pairs = append(pairs, "{"+kind+"}", id)
	}
	for kind, id := range own {
		pairs = append(pairs, "{own "+kind+"}", id)
	}
	fill := strings.NewReplacer(pairs...)
	return "/v1" + fill.Replace(s.path), fill.Replace(s.body)
}

func rowNamed(name string) *openai.Row {
	for _, row := range openai.Rows() {
		if string(row.Name) == name {
			return row
		}
	}
	return nil
}

// TestOwnership: a second user reaches nothing of the first's, by no endpoint and
// no field, and the provider does not even hear of it; the first reaches it all.
// Every endpoint and field that can name an object has its row (M-L2, M-P4).
func TestOwnership(t *testing.T) {
	r := newRig(t, owned(t))
	ada, bob := made(t, r, "ada"), made(t, r, "bob")
	nobody := things{}
	for kind, id := range ada {
		nobody[kind] = id[:len(id)-3] + "xyz"
	}
	samples := slices.Clone(pathSamples)
	for _, f := range fieldSamples {
		samples = append(samples, f.sample)
	}
	for i, s := range samples {
		row := rowNamed(s.endpoint)
		if row == nil {
			t.Errorf("there is no endpoint %s", s.endpoint)
			continue
		}
		place := row.Path
		if n := i - len(pathSamples); n >= 0 {
			place = fieldSamples[n].place
		}
		for who, theirs := range map[string]things{"somebody else's": ada, "nobody's": nobody} {
			path, body := s.with(theirs, bob)
			before := r.calls()
			body, headers := s.headers(t, body)
			a := r.send(row.Method, path, body, append(headers, "Authorization", r.ticket("bob"))...)
			if a.status != http.StatusNotFound || a.code() != "not_found" || r.calls() != before {
				t.Errorf("%s %s with %s: %d %s, %d calls", s.endpoint, place, who, a.status, a.body, r.calls()-before)
			}
			if strings.Contains(a.body, "secret plan") {
				t.Errorf("%s tells: %s", s.endpoint, a.body)
			}
			t.Logf("%-30s %-45s %-15s %d, provider %d", s.endpoint, place, who, a.status, r.calls()-before)
		}
	}
	covered(t, samples)
	reachesOwn(t, r, samples, ada)
}

// covered fails for an endpoint or a place in a body that has no row.
func covered(t *testing.T, samples []sample) {
	t.Helper()
	for _, row := range openai.Rows() {
		if strings.Contains(row.Path, "{") && !row.Local() && !slices.ContainsFunc(samples, func(s sample) bool { return s.endpoint == string(row.Name) }) {
			t.Errorf("%s names objects and is not tried", row.Name)
		}
		for _, place := range openai.References(row) {
			if !slices.ContainsFunc(fieldSamples, func(f struct {
				place string
				sample
			},
			) bool {
				return f.place == place && f.endpoint == string(row.Name)
			}) {
				t.Errorf("%s of %s names objects and is not tried", place, row.Name)
			}
		}
	}
}

// reachesOwn makes the same requests as the owner: those that delete go last.
func reachesOwn(t *testing.T, r *rig, samples []sample, own things) {
	t.Helper()
	slices.SortStableFunc(samples, func(a, b sample) int {
		last := func(s sample) int {
			if rowNamed(s.endpoint).Method == http.MethodDelete {
				return len(s.path)
			}
			return 1000
		}
		return last(b) - last(a)
	})
	completed := false
	for _, s := range samples {
		row := rowNamed(s.endpoint)
		path, body := s.with(own, own)
		body, headers := s.headers(t, body)
		a := r.send(row.Method, path, body, headers...)
		switch over := a.status == http.StatusBadRequest && slices.Contains(endsBefore, s.endpoint); {
		case s.endpoint == "uploads.complete" && a.status == http.StatusBadRequest && completed:
			// There is one way to complete an upload, and it was gone.
		case a.status != http.StatusOK && !over:
			t.Errorf("the owner at %s %s: %d %s", s.endpoint, path, a.status, a.body)
		}
		completed = completed || s.endpoint == "uploads.complete"
	}
	for _, s := range []string{"/v1/files/" + own[openai.KindFile], "/v1/vector_stores/" + own[openai.KindVectorStore], "/v1/vector_stores/" + own[openai.KindVectorStore] + "/file_batches/" + own[openai.KindFileBatch], "/v1/responses/" + own[openai.KindResponse], "/v1/conversations/" + own[openai.KindConversation], "/v1/chat/completions/" + own[openai.KindCompletion]} {
		before := r.calls()
		if a := r.send(http.MethodGet, s, ""); a.status != http.StatusNotFound || r.calls() != before {
			t.Errorf("%s after it was deleted: %d, %d calls", s, a.status, r.calls()-before)
		}
	}
}

// TestListsShowOnesOwn: a list is of the caller's objects alone, in pages.
func TestListsShowOnesOwn(t *testing.T) {
	r := newRig(t, owned(t))
	ids := map[string][]string{}
	for i := range 5 {
		for _, who := range []string{"ada", "bob"} {
			a := r.post("/v1/chat/completions", chat(fmt.Sprintf("%s asks %d", who, i)), "Authorization", r.ticket(who))
			ids[who] = append(ids[who], field(a.body, "id"))
		}
	}
	a := r.send(http.MethodGet, "/v1/chat/completions?limit=2&order=asc", "")
	for _, id := range ids["bob"] {
		if strings.Contains(a.body, id) {
			t.Errorf("somebody else's: %s", a.body)
		}
	}
	if a.status != http.StatusOK || !strings.Contains(a.body, ids["ada"][0]) || !strings.Contains(a.body, ids["ada"][1]) ||
		strings.Contains(a.body, ids["ada"][2]) || !strings.Contains(a.body, `"has_more":true`) || field(a.body, "last_id") != ids["ada"][1] {
		t.Errorf("%d %s", a.status, a.body)
	}
	a = r.send(http.MethodGet, "/v1/chat/completions?limit=9&order=asc&after="+ids["ada"][1], "")
	if !strings.Contains(a.body, ids["ada"][4]) || strings.Contains(a.body, ids["ada"][0]) || !strings.Contains(a.body, `"has_more":false`) {
		t.Errorf("the second page: %s", a.body)
	}
	if a = r.send(http.MethodGet, "/v1/chat/completions?after="+ids["bob"][0], ""); strings.Contains(a.body, "chatcmpl-") {
		t.Errorf("behind somebody else's: %s", a.body)
	}
	for _, q := range []string{"limit=0", "limit=101", "limit=x", "order=up", "limit=1&limit=2", "after=%2e%2e%2f"} {
		if a := r.send(http.MethodGet, "/v1/chat/completions?"+q, ""); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", q, a.status, a.body)
		}
	}
}

// TestStreamedObjectIsOwned: what a stream makes is the caller's before they can
// name it, and what they refer to counts as input.
func TestStreamedObjectIsOwned(t *testing.T) {
	r := newRig(t, func(p *parts) {
		owned(t)(p)
		p.plans[0].MaxInput = 400
	})
	a := r.post("/v1/responses", `{"model":"gpt-4.1-mini","input":"hi","stream":true}`)
	id := field(a.body, "id")
	if a.status != http.StatusOK || !strings.HasPrefix(id, "resp_") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := r.send(http.MethodGet, "/v1/responses/"+id, ""); a.status != http.StatusOK || field(a.body, "id") != id {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := r.send(http.MethodGet, "/v1/responses/"+id, "", "Authorization", r.ticket("bob")); a.status != http.StatusNotFound {
		t.Errorf("another reads it: %d", a.status)
	}
	long := strings.Repeat("words ", 60)
	last := id
	for range 12 {
		a := r.post("/v1/responses", `{"model":"gpt-4.1-mini","input":"`+long+`","previous_response_id":"`+last+`"}`)
		if a.status == http.StatusBadRequest && a.code() == "invalid_input" {
			return
		}
		if a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
		last = field(a.body, "id")
	}
	t.Error("a conversation grew beyond the input that the plan allows")
}

// TestOwnersOutOfReach: while nobody can say whose an object is, nothing of it
// goes out, and what is made is not shown.
func TestOwnersOutOfReach(t *testing.T) {
	down := &switchable{Store: owner.NewMemory()}
	r := newRig(t, func(p *parts) {
		owned(t)(p)
		guard, err := owner.New(owner.Options{Store: down, Pseudonym: keys.NewIdentity(secret(r0)).Pseudonym, Now: time.Now})
		must(t, err)
		p.snapshot.Owners = guard
	})
	id := field(r.post("/v1/responses", `{"model":"gpt-4.1-mini","input":"hi"}`).body, "id")
	down.off.Store(true)
	before := r.calls()
	for _, x := range []struct{ method, path, body string }{
		{"GET", "/v1/responses/" + id, ""},
		{"DELETE", "/v1/responses/" + id, ""},
		{"GET", "/v1/chat/completions", ""},
		{"POST", "/v1/responses", `{"model":"gpt-4.1-mini","input":"hi","previous_response_id":"` + id + `"}`},
	} {
		if a := r.send(x.method, x.path, x.body); a.status != http.StatusServiceUnavailable || a.code() != string(claviger.CodeLimitsUnavailable) {
			t.Errorf("%s %s: %d %s", x.method, x.path, a.status, a.body)
		}
	}
	if r.calls() != before {
		t.Errorf("the provider was called %d times", r.calls()-before)
	}
	for _, body := range []string{`{"model":"gpt-4.1-mini","input":"hi"}`, `{"model":"gpt-4.1-mini","input":"hi","stream":true}`} {
		if a := r.post("/v1/responses", body); a.status != http.StatusServiceUnavailable || strings.Contains(a.body, "resp_") {
			t.Errorf("made: %d %s", a.status, a.body)
		}
	}
	down.off.Store(false)
	if a := r.send(http.MethodGet, "/v1/responses/"+id, ""); a.status != http.StatusOK {
		t.Errorf("after: %d %s", a.status, a.body)
	}
}

// TestConversationWeighsWhatItHolds: a turn adds to a conversation what it said,
// and not all that it might have said.
func TestConversationWeighsWhatItHolds(t *testing.T) {
	r := newRig(t, func(p *parts) {
		owned(t)(p)
		p.plans[0].MaxInput = 4000
	})
	id := field(r.post("/v1/conversations", `{"items":[{"role":"user","content":"hi"}]}`).body, "id")
	for i, stream := range []string{"false", "true", "false", "true"} {
		a := r.post("/v1/responses", `{"model":"gpt-4.1-mini","input":"go on","conversation":"`+id+`","stream":`+stream+`}`)
		if a.status != http.StatusOK {
			t.Fatalf("turn %d: %d %s", i+1, a.status, a.body)
		}
	}
}

// TestConversationIsNoHeavierByRefusals: a turn that the provider refused adds
// nothing to a conversation, and one whose end nobody knows all that it may have.
func TestConversationIsNoHeavierByRefusals(t *testing.T) {
	r := newRig(t, func(p *parts) {
		owned(t)(p)
		p.plans[0].MaxInput = 6000
	})
	id := field(r.post("/v1/conversations", `{"items":[{"role":"user","content":"hi"}]}`).body, "id")
	turn := func(stream bool) answer {
		return r.post("/v1/responses", fmt.Sprintf(`{"model":"gpt-4.1-mini","input":"go on","conversation":%q,"stream":%v}`, id, stream))
	}
	for i := range 4 {
		r.sim.Inject(openaitest.Fault{Kind: openaitest.Status, Status: 500, Times: 1})
		if a := turn(i%2 == 1); a.status != http.StatusBadGateway {
			t.Fatalf("fault %d: %d %s", i+1, a.status, a.body)
		}
	}
	if a := turn(false); a.status != http.StatusOK {
		t.Fatalf("after refusals: %d %s", a.status, a.body)
	}
	for range 2 {
		r.sim.Inject(openaitest.Fault{Kind: openaitest.Cut, Times: 1})
		turn(false)
	}
	if a := turn(false); a.status != http.StatusBadRequest || a.code() != "invalid_input" {
		t.Errorf("after two turns that may have been made: %d %s", a.status, a.body)
	}
}
