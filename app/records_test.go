package app

import (
	"bytes"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/openaitest"
)

// raw are all bytes below a directory, as they lie on the disk.
func raw(t *testing.T, dir string) []byte {
	t.Helper()
	var all []byte
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		all = append(all, b...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// export is what is kept about a subject.
func (s *site) export(subject string) (v jsonx.Value, text string) {
	s.t.Helper()
	code, out, errs := s.command("records", "export", "--subject", subject)
	v, err := jsonx.Parse([]byte(out))
	if code != 0 || err != nil {
		s.t.Fatalf("records export: %d, %v: %s%s", code, err, out, errs)
	}
	return v, out
}

func lengthOf(v jsonx.Value, name string) int {
	list, _ := v.Get(name)
	return list.Len()
}

// TestRecords: what is kept about a person is handed over whole and holds nothing of
// what they said; erasing takes it away here, at the provider, and from the raw
// files, and leaves everybody else's.
func TestRecords(t *testing.T) {
	s := newSite(t)
	s.write("claviger.yaml", strings.Replace(siteConfig, "proxy: {endpoints: [responses, chat.completions]}", "proxy: {endpoints: [responses], store: true}", 1))
	p := s.start("serve")
	// The name has a sign that no random id spells.
	const secretWords, name = "my heart is a submarine", "ada.lovelace"
	ids := map[string][]string{}
	found := regexp.MustCompile(`"id":"((resp_|msg_)[^"]*)"`)
	for _, who := range []string{name, "bob"} {
		ticket := strings.TrimSpace(must3(t)(s.command("token", "mint", "--sub", who)))
		for range 2 {
			r := p.post("/v1/responses", ticket, `{"model":"gpt-4.1-mini","input":"`+secretWords+`"}`)
			if r.StatusCode != 200 {
				t.Fatalf("%d %s", r.StatusCode, r.body)
			}
			for _, m := range found.FindAllStringSubmatch(r.body, -1) {
				ids[who] = append(ids[who], m[1])
			}
		}
	}
	if code := p.stop(); code != 0 {
		t.Fatal("the gateway did not end well")
	}
	state := s.path(".claviger")
	ada, text := s.export(name)
	if lengthOf(ada, "usage") != 1 || lengthOf(ada, "objects") < 4 || strings.Contains(text, "submarine") || !strings.Contains(text, ids[name][0]) || strings.Contains(text, ids["bob"][0]) {
		t.Fatalf("export: %s", text)
	}
	pseudonym, _ := ada.Get("pseudonym")
	before := raw(t, state)
	for _, want := range append(slices.Clone(ids[name]), pseudonym.Str()) {
		if !bytes.Contains(before, []byte(want)) {
			t.Fatalf("%s is not in the raw files before: the test proves nothing", want)
		}
	}
	if bytes.Contains(before, []byte("submarine")) || bytes.Contains(before, []byte(name)) {
		t.Error("a prompt or a name is in the raw files")
	}
	if code, out, _ := s.command("records", "erase", "--subject", name, "--dry-run"); code != 0 || !strings.Contains(out, "Nothing is deleted") {
		t.Errorf("dry run: %s", out)
	}
	fault, err := openaitest.ParseFault("500 times=1")
	if err != nil {
		t.Fatal(err)
	}
	s.sim.Inject(fault)
	code, out, errs := s.command("records", "erase", "--subject", name)
	if code != 2 || !strings.Contains(errs, "run it again") {
		t.Errorf("with a provider that fails: %d\n%s%s", code, out, errs)
	}
	if v, text := s.export(name); lengthOf(v, "objects") == 0 {
		t.Errorf("what is still at the provider is forgotten: %s", text)
	}
	if code, out, errs = s.command("records", "erase", "--subject", name); code != 0 {
		t.Fatalf("erase: %d\n%s%s", code, out, errs)
	}
	if v, text := s.export(name); lengthOf(v, "usage")+lengthOf(v, "objects") != 0 {
		t.Errorf("after it was erased: %s", text)
	}
	after := raw(t, state)
	for _, gone := range ids[name] {
		if bytes.Contains(after, []byte(gone)) {
			t.Errorf("%s is in the raw files", gone)
		}
	}
	if n := bytes.Count(after, []byte(pseudonym.Str())); n > bytes.Count(before, []byte("user:"+pseudonym.Str())) {
		t.Errorf("the pseudonym is in the raw files %d times", n)
	}
	for _, id := range ids[name] {
		if strings.HasPrefix(id, "resp_") && s.atProvider(id) != http.StatusNotFound {
			t.Errorf("%s is at the provider", id)
		}
	}
	if v, text := s.export("bob"); lengthOf(v, "usage") != 1 || lengthOf(v, "objects") < 4 || s.atProvider(ids["bob"][0]) != http.StatusOK {
		t.Errorf("bob has lost something: %s", text)
	}
}

// must3 gives the output of a command that has to succeed.
func must3(t *testing.T) func(int, string, string) string {
	return func(code int, out, errs string) string {
		t.Helper()
		if code != 0 {
			t.Fatalf("exit %d: %s", code, errs)
		}
		return out
	}
}

// atProvider asks the provider about a response.
func (s *site) atProvider(id string) int {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.sim.URL+"/responses/"+id, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	resp, err := s.transports[0].RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
