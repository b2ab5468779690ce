package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const crossSiteDoc = "../docs/cross-site.md"

// sameSites are the session cookie's attributes, each a table of its own.
var sameSites = []string{"None", "Lax"}

// crossTable sends the rows and holds what came of them against the table in
// docs/. A browser on a busy machine loses a request now and then, or sends it
// too late to be counted: a row that is not as the table has it is sent again.
// What reached the provider counts whichever time it was.
type crossTable struct {
	front   *front
	passes  int
	env     []string
	version string
	// pages and ways are in the order of the table.
	pages, ways []string
	// all is each row as often as it was sent, last its newest by rowKey.
	all  []crossRow
	last map[string]crossRow
}

func (r crossRow) failed() bool { return strings.HasPrefix(r.Saw, "failed") }

func rowKey(cookie, from, way string) string { return cookie + "/" + from + "/" + way }

// send sends every row with one kind of cookie, and up to four times more those
// that are missing or not as in the table.
func (c *crossTable) send(t *testing.T, sameSite string) {
	t.Helper()
	want := readCells(t)
	for again := range 5 {
		only := c.differing(sameSite, want)
		if again > 0 {
			if len(only) == 0 {
				return
			}
			t.Logf("sent again, not as in the table: %q", only)
		}
		c.run(t, sameSite, only)
	}
}

// differing names the rows that have no outcome yet, or another than wanted.
func (c *crossTable) differing(sameSite string, want map[string]string) (rows []string) {
	for _, from := range c.pages {
		for _, way := range c.ways {
			key := rowKey(sameSite, from, way)
			r, ok := c.last[key]
			if !ok || r.failed() || !*update && c.front.seen(r.Row).cell() != want[key] {
				rows = append(rows, from+"/"+way)
			}
		}
	}
	return rows
}

func (c *crossTable) run(t *testing.T, sameSite string, only []string) {
	t.Helper()
	c.passes++
	env := append(slices.Clone(c.env), "SAME_SITE="+sameSite, "FIRST="+strconv.Itoa(c.passes*10_000))
	if only != nil {
		list, err := json.Marshal(only)
		if err != nil {
			t.Fatal(err)
		}
		env = append(env, "ONLY="+string(list))
	}
	out := node(t, env, "browser/crosssite.mjs")
	var got struct {
		Version     string
		Rows        []crossRow
		Pages, Ways []string
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %.500s", err, out)
	}
	c.version, c.pages, c.ways = got.Version, got.Pages, got.Ways
	for _, r := range got.Rows {
		c.all = append(c.all, r)
		c.last[rowKey(r.Cookie, r.From, r.Way)] = r
	}
	t.Logf("%d rows in Chromium %s", len(got.Rows), got.Version)
}

// cell is a row's outcome in a few characters.
func (a arrived) cell() string {
	switch {
	case a.status == 0 && a.preflight != 0:
		return "preflight " + strconv.Itoa(a.preflight)
	case a.status == 0:
		return "–"
	}
	s := strconv.Itoa(a.status)
	if a.cookie {
		s += " c"
	}
	if a.calls > 0 {
		s = "**" + s + " → " + strconv.Itoa(a.calls) + "**"
	}
	return s
}

const crossSiteHead = "# What pages of others can make a browser do\n\n" +
	"<!-- Written by `CLAVIGER_E2E=1 go test ./e2e -run TestCrossSiteInBrowser -update`; changes here are lost. -->\n\n" +
	"Measured in Chromium %s, over https, with `claviger serve` behind the app's own origin, a signed-in person's session cookie in the browser,\n" +
	"and a second origin listed in `origins`. A cell is the gateway's status. `c` says that the browser sent the session cookie along,\n" +
	"`→ 1` that the provider was called, `preflight` that the browser asked first and sent nothing after the answer, `–` that it\n" +
	"sent nothing. \"Sister site\" is another host of the same site, which `SameSite` does not keep out; \"null\" are pages with no origin.\n\n" +
	"The ticket rows carry a bearer, which a page has to have: those count from listed origins, and the cookie beside it does not. `GET`\n" +
	"never costs anything: models are answered by the gateway itself. A listed origin uses `fetch` in mode `cors`, or forms.\n"

// readCells reads the table in docs/: the outcome of a row by its rowKey.
func readCells(t *testing.T) map[string]string {
	t.Helper()
	doc, err := os.ReadFile(crossSiteDoc)
	if err != nil {
		t.Fatal(err)
	}
	cells := map[string]string{}
	var cookie string
	var pages []string
	for line := range strings.Lines(string(doc)) {
		for _, s := range sameSites {
			if strings.HasPrefix(line, "## With `SameSite="+s+"`") {
				cookie, pages = s, nil
			}
		}
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| ---") {
			continue
		}
		cols := strings.Split(strings.Trim(line, "| \n"), " | ")
		if pages == nil {
			pages = cols[1:]
			continue
		}
		for i, cell := range cols[1:] {
			cells[rowKey(cookie, pages[i], cols[0])] = cell
		}
	}
	return cells
}

// compare holds the outcomes against docs/cross-site.md. The check has found
// every row safe by now; the table is to tell the truth to its readers.
func (c *crossTable) compare(t *testing.T) {
	t.Helper()
	var out strings.Builder
	major, _, _ := strings.Cut(c.version, ".")
	fmt.Fprintf(&out, crossSiteHead, major)
	for _, cookie := range sameSites {
		title := "With `SameSite=Lax`, as Auth.js sets it"
		if cookie == "None" {
			title = "With `SameSite=None`: the browser helps with nothing"
		}
		fmt.Fprintf(&out, "\n## %s\n\n| request | %s |\n|%s\n", title, strings.Join(c.pages, " | "), strings.Repeat(" --- |", len(c.pages)+1))
		for _, way := range c.ways {
			out.WriteString("| " + way)
			for _, from := range c.pages {
				r, ok := c.last[rowKey(cookie, from, way)]
				if !ok || r.failed() {
					t.Errorf("%s/%s/%s was not sent in five times: %q", cookie, from, way, r.Saw)
				}
				out.WriteString(" | " + c.front.seen(r.Row).cell())
			}
			out.WriteString(" |\n")
		}
	}
	if *update {
		if err := os.WriteFile(crossSiteDoc, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(crossSiteDoc)
	switch {
	case err != nil:
		t.Fatal(err)
	case string(want) == out.String():
		return
	}
	// Another version of the browser may send other things, which is no fault.
	tell := t.Errorf
	if !strings.Contains(string(want), "Chromium "+major+",") {
		tell = t.Logf
	}
	cells := readCells(t)
	for key, r := range c.last {
		if got := c.front.seen(r.Row).cell(); got != cells[key] {
			tell("%s: %q, and the table has %q", key, got, cells[key])
		}
	}
	tell("%s is not what was seen in Chromium %s; look at the difference, then write it anew with -update", crossSiteDoc, c.version)
}
