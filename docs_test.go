package claviger_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/app"
	"claviger.dev/claviger/check"
	"claviger.dev/claviger/config"
	"claviger.dev/claviger/internal/jsonx"
)

var update = flag.Bool("update", false, "write the generated pages of docs anew")

// generated compares a page with what the code says, or writes it.
func generated(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the code says; run: go test . -run TestGenerated -update", path)
	}
}

const byMachine = "<!-- Written by `go test . -run TestGenerated -update`; changes here are lost. -->\n\n"

func TestGeneratedConfiguration(t *testing.T) {
	generated(t, "docs/configuration.md", "# Configuration\n\n"+byMachine+
		"One file, `claviger.yaml`, in the working directory or where `--config` or `CLAVIGER_CONFIG` says. It is read strictly: an unknown key\n"+
		"is an error with its line, its column and the nearest known key, and all errors are told at once. `claviger config check` tells them\n"+
		"without serving, `claviger config print` prints what is in effect, and `claviger config schema` prints the JSON Schema for editors:\n\n"+
		"```yaml\n# yaml-language-server: $schema=./claviger.schema.json\n"+smallest+"```\n\n"+
		"A secret is never written into the file, but referred to:\n\n"+
		"| reference | is read from |\n| --- | --- |\n"+
		"| `env:NAME` | a variable of the process; in development also the `.env` files beside the configuration, in this order: `.env.claviger.local`, then those of Next.js |\n"+
		"| `file:PATH` | a file, relative to the configuration; a trailing newline is left out |\n"+
		"| `command:PROGRAM ARGUMENTS` | what a program prints within 10 s, with no shell in between |\n\n"+
		config.Reference())
}

const smallest = `auth: [{authjs: {secrets: [env:AUTH_SECRET]}}]
plans: [{name: everyone, models: [gpt-4.1-mini], limits: {requests: 10/min, spend: 1 USD/day}}]
proxy: {endpoints: [responses]}
`

// codeProse says of each code what it means and what to do about it.
var codeProse = map[claviger.Code][2]string{
	claviger.CodeUnauthenticated:      {"There is no credential, or it is bad, expired, revoked or used up, or its DPoP proof is, or there is more than one `Authorization` header.", "Sign in again, or get a new ticket. The log says which."},
	claviger.CodeForbidden:            {"The caller is known, and the plan, the role or the credential does not allow this, or the operator keeps the caller, the plan or everyone out. A member that was refused is named in `param` or `field`.", "Leave that member out, or widen the plan or the proxy's policy."},
	claviger.CodeModelNotAllowed:      {"The plan does not have this model, or a money budget applies and the model has no price.", "Ask `GET /v1/models` for those that are allowed, or set a price under `prices`."},
	claviger.CodeNotFound:             {"The path or endpoint is off or unknown, or the call refers to an object that is not known to be the caller's. Nothing was forwarded.", "Compare the path, byte for byte, with the configuration."},
	claviger.CodeMethodNotAllowed:     {"The path has another method, which `Allow` names.", "Use that one."},
	claviger.CodeCSRF:                 {"A browser says that a page of another site made the request, or a cookie came without `Origin` and `Sec-Fetch-Site`.", "List the page's origin under `origins`. A server that acts for a user sends a bearer and no cookie."},
	claviger.CodeInvalidJSON:          {"The body is no JSON in strict UTF-8: duplicate names, a byte order mark, something after the end, or too deep.", "Send one JSON value."},
	claviger.CodeInvalidInput:         {"A member is unknown, missing, of the wrong type, too long, outside its schema, or says what `content` refuses. It is named in `param` or `field`.", "Correct that member."},
	claviger.CodeTooLarge:             {"The body is over `limits.body`, or its texts are more than can be moderated; with status 431, the headers are over 64 KiB.", "Send less, or raise the limit."},
	claviger.CodeUnsupportedMediaType: {"There is no `Content-Type`, or another than the endpoint's, or the body is compressed.", "Send `application/json` in UTF-8, uncompressed."},
	claviger.CodeMisdirected:          {"The `Host` header names a host that this gateway does not serve.", "Add the name to `hosts`."},
	claviger.CodeRateLimited:          {"The requests of this window are used up.", "Wait for as long as `Retry-After` says."},
	claviger.CodeTooManyInFlight:      {"As many calls of this caller are under way as may be at once.", "Wait for one of them to end."},
	claviger.CodeBudgetExhausted:      {"What this call may cost at most is more than is left of the tokens or the money of this window.", "Wait for the window's end, ask for a smaller `max_output_tokens`, or raise the budget."},
	claviger.CodeMisconfigured:        {"No key of the provider is configured or readable.", "Look at `readyz` or the log, which name the reference."},
	claviger.CodeUpstreamError:        {"The provider answered with a failure, rejected every key, or sent what was not asked for. Its own words are in no answer.", "Try again later; the log says what happened."},
	claviger.CodeUpstreamBusy:         {"The provider's rate limit is reached with every key.", "Wait for as long as `Retry-After` says, or add keys."},
	claviger.CodeUpstreamTimeout:      {"The provider was silent for longer than `upstream.timeouts` allow.", "Try again, or stream, or raise the limit."},
	claviger.CodeUpstreamInvalid:      {"The provider refuses the caller's own parameters. Its status, `code` and `param` are passed on on `/v1`; its message only if it holds nothing but plain words.", "Correct the parameter."},
	claviger.CodeLimitsUnavailable:    {"What was used, of a limit or of a ticket, cannot be known at the moment, so nothing is granted.", "Try again; if it stays, look at the log."},
	claviger.CodeIdentityUnavailable:  {"The app that knows its sessions (`forward`) does not answer, or not as it should. That is not \"signed out\", and nobody is let in.", "Try again; if it stays, look at the log."},
	claviger.CodeRequestTimeout:       {"The body did not come within 60 s.", "Send it faster."},
	claviger.CodeInternal:             {"Something unforeseen, which is a bug.", "Report it with the `X-Request-Id`."},
}

func TestGeneratedErrors(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Errors\n\n" + byMachine +
		"The set of codes is closed. Actions and routes of the app's choice answer `{\"error\":\"Sign in first\",\"code\":\"unauthenticated\"}`, with\n" +
		"`field` where one was refused. `/v1` answers in OpenAI's shape, so that SDKs raise their own typed errors:\n" +
		"`{\"error\":{\"message\":\"Sign in first\",\"type\":\"…\",\"code\":\"unauthenticated\",\"param\":null}}`. A stream that has begun ends with an error event\n" +
		"that holds the same. Every answer has an `X-Request-Id`, which is in the log too. \"Again\" says whether the same request can succeed\n" +
		"later; where it cannot, the answer says `x-should-retry: false`, and the SDKs give up at once.\n\n" +
		"| code | status | sentence | again | meaning | what to do |\n| --- | --- | --- | --- | --- | --- |\n")
	codes := claviger.Codes()
	slices.SortFunc(codes, func(a, b claviger.Code) int {
		if d := status(a) - status(b); d != 0 {
			return d
		}
		return strings.Compare(string(a), string(b))
	})
	for _, c := range codes {
		prose, ok := codeProse[c]
		if !ok {
			t.Errorf("nobody says what %s means", c)
		}
		again := "no"
		if (&claviger.Error{Code: c}).Retriable() {
			again = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s | %s | %s |\n", c, status(c), c.Sentence(), again, prose[0], prose[1])
	}
	generated(t, "docs/errors.md", b.String())
	if len(codeProse) != len(codes) {
		t.Errorf("%d codes are described and %d exist", len(codeProse), len(codes))
	}
}

func TestGeneratedRules(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Rules of the check\n\n" + byMachine +
		"The ids are stable: none is ever renamed. The severity is the usual one; a finding may have another, and says so. The points `M-C1` to\n" +
		"`M-C8` are those of the checklist in [the guide of the check](check.md).\n\n" +
		"| rule | point | severity | says |\n| --- | --- | --- | --- |\n")
	rules := check.Rules(check.Standard()...)
	for _, r := range rules {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s | %s |\n", r.ID, r.ID, r.Mission, r.Severity, r.Title)
	}
	for _, r := range rules {
		if r.Title == "" || r.Help == "" || r.Fix == "" || !regexp.MustCompile(`^M-C[1-8]$`).MatchString(r.Mission) {
			t.Errorf("%s does not describe itself", r.ID)
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n%s: %s\n", r.ID, r.Title+".", "What to do", r.Fix)
		fmt.Fprintf(&b, "\n%s\n", r.Help)
	}
	generated(t, "docs/rules.md", b.String())
}

func status(c claviger.Code) int { return (&claviger.Error{Code: c}).HTTPStatus() }

// block is a fenced piece of code in a page.
type block struct {
	file string
	line int
	lang string
	text string
}

func (b block) String() string { return fmt.Sprintf("%s:%d", b.file, b.line) }

// pages are the pages whose code is held to be true.
func pages(t *testing.T) []string {
	t.Helper()
	out := []string{
		"README.md", "CONTRIBUTING.md", "examples/nextjs/README.md", "packages/README.md", "packages/cli/README.md",
		"packages/client/README.md", "packages/next/README.md", "bench/README.md",
	}
	err := filepath.WalkDir("docs", func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, ".md") {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func blocks(t *testing.T, langs ...string) []block {
	t.Helper()
	var out []block
	for _, file := range pages(t) {
		out = append(out, blocksOf(t, file)...)
	}
	return slices.DeleteFunc(out, func(b block) bool { return !slices.Contains(langs, b.lang) })
}

func blocksOf(t *testing.T, file string) (out []block) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var open *block
	for i, line := range strings.Split(string(data), "\n") {
		fence, is := strings.CutPrefix(line, "```")
		switch {
		case !is && open != nil:
			open.text += line + "\n"
		case is && open == nil:
			open = &block{file: file, line: i + 1, lang: fence}
		case is:
			out, open = append(out, *open), nil
		}
	}
	if open != nil {
		t.Errorf("%s: the code has no end", open)
	}
	return out
}

// TestConfigurationsInDocs: every configuration that a page shows loads in this
// version, the text of a condition and the price of a model included.
func TestConfigurationsInDocs(t *testing.T) {
	all := blocks(t, "yaml")
	if len(all) < 8 {
		t.Fatalf("%d configurations only: the test proves little", len(all))
	}
	for _, b := range all {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "claviger.yaml"), []byte(b.text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		env := app.Environment{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Dir: dir}
		if code := app.Main(t.Context(), []string{"config", "print"}, env); code != 0 {
			t.Errorf("%s does not load:\n%s", b, errs.String())
		}
	}
}

func TestJSONInDocs(t *testing.T) {
	for _, b := range blocks(t, "json") {
		if _, err := jsonx.Parse([]byte(b.text)); err != nil {
			t.Errorf("%s: %v", b, err)
		}
	}
}

func TestScriptsInDocs(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("NOT RUN: there is no node to read the scripts in the pages")
	}
	all := blocks(t, "js")
	if len(all) < 4 {
		t.Fatalf("%d scripts only: the test proves little", len(all))
	}
	for _, b := range all {
		file := filepath.Join(t.TempDir(), "block.mjs")
		if err := os.WriteFile(file, []byte(b.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), node, "--check", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", b, err, out)
		}
	}
}

// TestCommandsInDocs: every claviger command that a page shows is one.
func TestCommandsInDocs(t *testing.T) {
	seen := 0
	check := func(at, line string) {
		for _, args := range commands(line) {
			seen++
			if err := app.Parse(args); err != nil {
				t.Errorf("%s: claviger %s: %v", at, strings.Join(args, " "), err)
			}
		}
	}
	for _, b := range blocks(t, "sh") {
		for line := range strings.Lines(b.text) {
			check(b.String(), line)
		}
	}
	inline := regexp.MustCompile("`(claviger [^`]+)`")
	for _, file := range pages(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range inline.FindAllStringSubmatch(string(data), -1) {
			check(file, m[1])
		}
	}
	if seen < 10 {
		t.Errorf("%d commands only: the test proves little", seen)
	}
}

var (
	comment    = regexp.MustCompile(`(^|\s)#.*`)
	separator  = regexp.MustCompile(`&&|\|\||[|;&()]`)
	assignment = regexp.MustCompile(`^[A-Z_]+=`)
	word       = regexp.MustCompile(`(?:[^\s'"]|'[^']*'|"[^"]*")+`)
	quotes     = strings.NewReplacer("'", "", `"`, "")
)

// commands finds the arguments of each claviger command in a line of a shell.
func commands(line string) (out [][]string) {
	line = comment.ReplaceAllString(line, "")
	for part := range strings.SplitSeq(separator.ReplaceAllString(line, "\n"), "\n") {
		words := word.FindAllString(part, -1)
		for len(words) > 0 && (assignment.MatchString(words[0]) || slices.Contains([]string{"exec", "export", "go", "npx", "run", "sudo"}, words[0])) {
			words = words[1:]
		}
		if len(words) == 0 || words[0] != "claviger" && words[0] != "./cmd/claviger" {
			continue
		}
		args := []string{}
		for _, w := range words[1:] {
			if strings.HasPrefix(w, ">") {
				break
			}
			args = append(args, quotes.Replace(w))
		}
		out = append(out, args)
	}
	return out
}

// TestLinksInDocs: every link to a file of this repository leads somewhere.
func TestLinksInDocs(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)
	for _, file := range append(pages(t), "SECURITY.md", "CHANGELOG.md") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(data), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", file, m[1])
			}
		}
	}
}

// TestThreatModel: every threat has a test that holds it, and the test exists.
func TestThreatModel(t *testing.T) {
	data, err := os.ReadFile("docs/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	tests := map[string][]string{}
	rows := 0
	for line := range strings.Lines(string(data)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| threat") || strings.HasPrefix(line, "| ---") {
			continue
		}
		rows++
		cells := strings.Split(line, " | ")
		if len(cells) != 3 {
			t.Errorf("not three columns: %s", line)
			continue
		}
		found := name.FindAllStringSubmatch(cells[2], -1)
		if len(found) == 0 {
			t.Errorf("no test: %s", line)
		}
		for _, m := range found {
			if tests[m[1]] == nil {
				tests[m[1]] = testsOf(t, m[1])
			}
			if !slices.Contains(tests[m[1]], m[2]) {
				t.Errorf("%s has no %s", m[1], m[2])
			}
		}
	}
	if rows < 30 {
		t.Errorf("%d threats only", rows)
	}
	for i := range 6 {
		if id := fmt.Sprintf("M-T%d", i+1); !strings.Contains(string(data), id) {
			t.Errorf("%s is not there", id)
		}
	}
	for i := range 10 {
		if id := fmt.Sprintf("trap %d", i+1); !strings.Contains(string(data), id) {
			t.Errorf("%s is not there", id)
		}
	}
}

// testsOf lists the tests of a package, "claviger" for the root.
func testsOf(t *testing.T, pkg string) []string {
	t.Helper()
	dir := pkg
	if pkg == "claviger" {
		dir = "."
	}
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Errorf("there is no package %s with tests", pkg)
	}
	out := []string{""}
	for _, f := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), f, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				out = append(out, fn.Name.Name)
			}
		}
	}
	return out
}
