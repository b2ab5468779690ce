package app

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"claviger.dev/claviger/internal/jsonx"
)

// submarine is a prompt that must be readable nowhere.
const submarine = "my heart is a submarine"

// identityFile writes an identity of age, and gives its recipient.
func (s *site) identityFile(name string) (recipient string) {
	s.t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(name, id.String()+"\n")
	return id.Recipient().String()
}

func (s *site) keeping(transcripts string) {
	s.t.Helper()
	s.write("claviger.yaml", siteConfig+"retention: {usage: 90d, transcripts: "+transcripts+"}\n")
}

// ciphertexts are what is sealed of a subject, and the keys of it, as they are stored.
func (s *site) ciphertexts(subject string) (sealed, keys [][]byte) {
	s.t.Helper()
	v, _ := s.export(subject)
	list, _ := v.Get("transcripts")
	for _, x := range list.Elems() {
		for name, into := range map[string]*[][]byte{"sealed": &sealed, "key_sealed": &keys} {
			member, _ := x.Get(name)
			b, err := base64.StdEncoding.DecodeString(member.Str())
			if err != nil || len(b) < 64 {
				s.t.Fatalf("%s of an export: %d bytes, %v", name, len(b), err)
			}
			*into = append(*into, b)
		}
	}
	return sealed, keys
}

// holds counts the texts of which a piece lies in the raw files. Long ones are
// stored in pieces.
func occurrences(all []byte, texts [][]byte) (n int) {
	for _, x := range texts {
		if bytes.Contains(all, x[:64]) || bytes.Contains(all, x[len(x)-64:]) {
			n++
		}
	}
	return n
}

// TestRetention: transcripts lie sealed in the raw files and nowhere else, open with
// the identity of a recipient alone, and are gone from the files when they are erased
// or have ended (M-D1, M-D2, M-T6).
func TestRetention(t *testing.T) {
	s := newSite(t)
	recipient := s.identityFile("reader.txt")
	s.identityFile("other.txt")
	s.keeping("{time: 1h, recipients: [" + recipient + "]}")
	p := s.start("serve")
	for _, who := range []string{"ada", "bob"} {
		ticket := strings.TrimSpace(must3(t)(s.command("token", "mint", "--sub", who)))
		for _, body := range []string{
			`{"model":"gpt-4.1-mini","input":"repeat after me: ` + submarine + " of " + who + `"}`,
			`{"model":"gpt-4.1-mini","stream":true,"input":"repeat after me: ` + submarine + " of " + who + `"}`,
			`{"model":"gpt-4.1-mini","input":"` + strings.Repeat(submarine+" ", 800) + `"}`,
		} {
			if r := p.post("/v1/responses", ticket, body); r.StatusCode != 200 {
				t.Fatalf("%d %s", r.StatusCode, r.body)
			}
		}
	}
	if code := p.stop(); code != 0 {
		t.Fatal("the gateway did not end well")
	}
	if text := p.errs.String() + p.out.String(); strings.Contains(text, "submarine") {
		t.Error("a prompt is in the log")
	}
	before := raw(t, s.path(".claviger"))
	sealed, keys := s.ciphertexts("ada")
	if n, k := occurrences(before, sealed), occurrences(before, keys); len(sealed) != 3 || n != 3 || k != 3 {
		t.Fatalf("of %d transcripts %d are in the raw files, and %d of their keys: the test proves nothing", len(sealed), n, k)
	}
	// What a thief of the database and the configuration has.
	stolen := append(before, s.content("claviger.yaml")...)
	for _, text := range []string{"submarine", "AGE-SECRET-KEY", "SUBMARINE"} {
		if bytes.Contains(stolen, []byte(text)) {
			t.Errorf("%s can be read in the database or the configuration", text)
		}
	}
	s.opens("ada")
	s.erasesOne(sealed)
	s.ends(recipient)
}

func (s *site) content(name string) []byte {
	s.t.Helper()
	b, err := os.ReadFile(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// opens holds an export to opening for its recipient alone, where it was made and
// elsewhere, and as the person's it is of.
func (s *site) opens(subject string) {
	t := s.t
	v, text := s.export(subject)
	if strings.Contains(text, "submarine") || lengthOf(v, "calls") != 3 || lengthOf(v, "transcripts") != 3 {
		t.Errorf("export: %.600s", text)
	}
	s.write("export.json", text)
	_, here, _ := s.command("records", "export", "--subject", subject, "--identity", "reader.txt")
	code, there, errs := s.command("records", "open", "--identity", "reader.txt", "export.json")
	if code != 0 || here != there && !sameJSON(t, here, there) {
		t.Errorf("opened elsewhere: %d %s %.300s", code, errs, there)
	}
	if n := strings.Count(there, `"answer":"`+submarine+" of "+subject+`"`); n != 2 || strings.Count(there, `"prompt_cut":false`) != 3 {
		t.Errorf("%d answers of %s: %.2000s", n, subject, there)
	}
	bob, _ := s.export("bob")
	name, _ := v.Get("pseudonym")
	other, _ := bob.Get("pseudonym")
	s.write("moved.json", strings.ReplaceAll(text, name.Str(), other.Str()))
	for file, identity := range map[string]string{"export.json": "other.txt", "moved.json": "reader.txt"} {
		code, out, errs := s.command("records", "open", "--identity", identity, file)
		if code != 2 || strings.Contains(out, "submarine") || strings.Count(out, `"error":`) != 3 || !strings.Contains(errs, "3 transcripts") {
			t.Errorf("%s opened with %s: %d %.600s %s", file, identity, code, out, errs)
		}
	}
	for _, bad := range [][]string{{"--identity", "export.json", "export.json"}, {"--identity", "reader.txt", "claviger.yaml"}, {"--identity", "none.txt"}} {
		if code, out, errs := s.command(append([]string{"records", "open"}, bad...)...); code != 2 || strings.Contains(errs+out, "AGE-SECRET") {
			t.Errorf("%v: %d %s", bad, code, errs)
		}
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	x, errX := jsonx.Parse([]byte(a))
	y, errY := jsonx.Parse([]byte(b))
	return errX == nil && errY == nil && string(jsonx.Append(nil, x)) == string(jsonx.Append(nil, y))
}

// erasesOne erases ada, and leaves bob's.
func (s *site) erasesOne(sealed [][]byte) {
	t := s.t
	if code, out, errs := s.command("records", "erase", "--subject", "ada", "--dry-run"); code != 0 || !strings.Contains(out, "3 records of calls and 3 transcripts") {
		t.Errorf("%d %s%s", code, out, errs)
	}
	if code, out, errs := s.command("records", "erase", "--subject", "ada"); code != 0 || !strings.Contains(out, "3 records of calls, 3 transcripts") {
		t.Errorf("%d %s%s", code, out, errs)
	}
	bobs, keys := s.ciphertexts("bob")
	after := raw(t, s.path(".claviger"))
	if n, b := occurrences(after, sealed), occurrences(after, bobs); n != 0 || b != 3 || occurrences(after, keys) != 3 {
		t.Errorf("after ada was erased, the raw files hold %d transcripts of hers and %d of bob's", n, b)
	}
	if v, text := s.export("ada"); lengthOf(v, "calls")+lengthOf(v, "transcripts") != 0 {
		t.Errorf("after it was erased: %s", text)
	}
}

// ends lets bob's transcripts end: by their own time, and by a policy that is gone.
func (s *site) ends(recipient string) {
	t := s.t
	bobs, keys := s.ciphertexts("bob")
	s.keeping("{time: 1s, recipients: [" + recipient + "]}")
	time.Sleep(time.Second)
	p := s.start("serve")
	p.until("what has ended is gone from the raw files", func() bool {
		return occurrences(raw(t, s.path(".claviger")), bobs) == 0
	})
	if v, text := s.export("bob"); lengthOf(v, "calls") != 3 || lengthOf(v, "transcripts") != 0 {
		t.Errorf("after transcripts ended: %s", text)
	}
	ticket := strings.TrimSpace(must3(t)(s.command("token", "mint", "--sub", "bob")))
	s.keeping("{time: 1h, recipients: [" + recipient + "]}")
	p.until("the new policy is in use", func() bool {
		p.post("/v1/responses", ticket, `{"model":"gpt-4.1-mini","input":"hi"}`)
		v, _ := s.export("bob")
		return lengthOf(v, "transcripts") > 0
	})
	more, _ := s.ciphertexts("bob")
	s.write("claviger.yaml", siteConfig)
	p.until("without a policy nothing is kept", func() bool {
		v, _ := s.export("bob")
		return lengthOf(v, "calls")+lengthOf(v, "transcripts") == 0
	})
	p.until("it is gone from the raw files", func() bool { return occurrences(raw(t, s.path(".claviger")), more) == 0 })
	if n := occurrences(raw(t, s.path(".claviger")), keys); n != 0 {
		t.Logf("%d keys of the last hour are there until they are two hours old", n)
	}
}

// TestRetentionIsRefused: what could not be kept as it says does not start.
func TestRetentionIsRefused(t *testing.T) {
	s := newSite(t)
	recipient := s.identityFile("reader.txt")
	identity := strings.TrimSpace(string(s.content("reader.txt")))
	for config, want := range map[string]string{
		"retention: {transcripts: {time: 1h, recipients: [" + identity + "]}}":                                      "is no recipient of age",
		"retention: {transcripts: {time: 1h, recipients: [" + recipient[:len(recipient)-1] + "]}}":                  "is no recipient of age",
		"retention: {transcripts: {time: 1h}}":                                                                      "retention.transcripts.recipients",
		"retention: {transcripts: {recipients: [" + recipient + "]}}":                                               "retention.transcripts.time",
		"storage: {database: memory}\nretention: 30d":                                                               "keeps nothing",
		"retention: {transcripts: {time: 1h, plans: [gone], recipients: [" + recipient + "]}}":                      "no such plan",
		"retention: {usage: {plans: [all]}, transcripts: {time: none, recipients: [" + recipient + "], keep: [x]}}": "must be one of prompts, answers",
	} {
		s.write("claviger.yaml", siteConfig+config+"\n")
		code, out, errs := s.command("config", "check")
		if code != 2 || !strings.Contains(out+errs, want) || strings.Contains(out+errs, identity) {
			t.Errorf("%s: %d %s%s", config, code, out, errs)
		}
	}
	for _, config := range []string{"none", "30d", "{usage: 30d}"} {
		s.write("claviger.yaml", siteConfig+"retention: "+config+"\n")
		if code, out, errs := s.command("config", "check"); code != 0 {
			t.Errorf("retention: %s: %d %s%s", config, code, out, errs)
		}
	}
}

// TestTranscriptsOfAKilledProcess: what a killed gateway had stored stays and opens;
// no more is missing than what had not waited for its second.
func TestTranscriptsOfAKilledProcess(t *testing.T) {
	s := newSite(t)
	s.keeping("{time: 1h, recipients: [" + s.identityFile("reader.txt") + "]}")
	p, cmd := s.node()
	ticket := strings.TrimSpace(must3(t)(s.command("token", "mint", "--sub", "ada")))
	ask := func(n int) {
		for i := range n {
			if r := p.post("/v1/responses", ticket, fmt.Sprintf(`{"model":"gpt-4.1-mini","input":"%s %d"}`, submarine, i)); r.StatusCode != 200 {
				t.Fatalf("%d %s", r.StatusCode, r.body)
			}
		}
	}
	const early, late = 10, 5
	ask(early)
	p.until("the first are stored", func() bool {
		v, _ := s.export("ada")
		return lengthOf(v, "transcripts") == early
	})
	ask(late)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = cmd.Process.Wait()
	code, out, errs := s.command("records", "export", "--subject", "ada", "--identity", "reader.txt")
	n := strings.Count(out, `"prompt":`)
	if code != 0 || n < early || n > early+late || strings.Count(out, submarine) < n || strings.Contains(out, `"error"`) {
		t.Errorf("%d, %d of %d: %.600s %s", code, n, early+late, out, errs)
	}
	if text := string(raw(t, s.path(".claviger"))) + p.errs.String(); strings.Contains(text, "submarine") {
		t.Error("a prompt can be read in what the killed process left")
	}
	t.Logf("of %d calls, the last %d at once before it was killed, %d transcripts are there", early+late, late, n)
}
