// Package probe reads a deployed site as anybody could: a bounded number of its
// pages, scripts and source maps, some well-known paths, and one harmless request
// to each endpoint that looks as if it reached a model.
package probe

import (
	"context"
	"errors"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"claviger.dev/claviger/internal/check/canary"
	"claviger.dev/claviger/internal/check/files"
	"claviger.dev/claviger/internal/check/report"
	"claviger.dev/claviger/internal/netx"
)

// Bounds of one check of a site.
const (
	maxRequests = 200
	maxPages    = 60
	maxProbes   = 12
	maxBody     = 16 << 20
	pause       = 10 * time.Millisecond
	perRequest  = 20 * time.Second
)

// Options are what Scan needs.
type Options struct {
	// URL is the site, https, or http on loopback.
	URL string
	// Agent is sent as User-Agent.
	Agent  string
	Values *canary.Set
	// Report is told each finding, Problem what could not be read, and Progress
	// how many bytes were read.
	Report   func(report.Finding)
	Problem  func(files.Problem)
	Progress func(bytes int64)
}

// Result says what was sent and read.
type Result struct {
	Read  int
	Bytes int64
	// Gets counts the requests without a body; Posts names the paths that got the
	// harmless request; Refused counts those that asked for a credential.
	Gets    int
	Posts   []string
	Refused int
}

// scanner is one check of a site.
type scanner struct {
	options Options
	client  *http.Client
	base    *url.URL
	result  Result
	queue   []string
	seen    map[string]bool
	pages   int
	// endpoints look as if they reached a model.
	endpoints []string
	// fallback is what the site answers for a path that cannot be there.
	fallback string
}

// Scan checks a site. Its error says that the site could not be reached at all.
func Scan(ctx context.Context, o Options) (*Result, error) {
	base, err := url.Parse(o.URL)
	if err != nil || base.Host == "" {
		return nil, errors.New("not a URL of a site")
	}
	base.RawQuery, base.Fragment = "", ""
	if base.Path == "" {
		base.Path = "/"
	}
	client, err := netx.Client(netx.Options{BaseURL: base.Scheme + "://" + base.Host, AllowPrivate: true, EnvironmentProxy: false, Timeout: perRequest})
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	s := &scanner{options: o, client: client, base: base, seen: map[string]bool{}}
	first, err := s.get(ctx, base.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("the site cannot be reached: %w", plain(err))
	}
	if to := s.elsewhere(first); to != "" {
		return nil, fmt.Errorf("the site sends everyone to %s: check that", to)
	}
	s.seen[base.String()] = true
	s.answer(ctx, first)
	if absent, err := s.get(ctx, s.resolve(base, "/claviger-check-absent"), nil); err == nil && absent.status == http.StatusOK {
		s.fallback = absent.text
	}
	for _, p := range wellKnown {
		s.enqueue(base, p)
	}
	if err := s.crawl(ctx); err != nil {
		return nil, err
	}
	return &s.result, s.probe(ctx)
}

// plain is an error of the network without the URL.
func plain(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// wellKnown are paths at which sites deliver by mistake what they should not, or
// tell what else there is.
var wellKnown = []string{
	"/robots.txt", "/sitemap.xml", "/manifest.json", "/sw.js", "/service-worker.js", "/.env", "/.env.local", "/.env.production", "/.git/config", "/config.json", "/env.js",
	"/__env.js", "/env-config.js", "/config.js", "/asset-manifest.json", "/.vite/manifest.json", "/openapi.json",
}

func (s *scanner) crawl(ctx context.Context) error {
	for len(s.queue) > 0 {
		next := s.queue[0]
		s.queue = s.queue[1:]
		if s.result.Gets >= maxRequests {
			s.options.Problem(files.Problem{Path: s.base.String(), Reason: fmt.Sprintf("only the first %d addresses of the site were read", maxRequests)})
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		a, err := s.get(ctx, next, nil)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			s.options.Problem(files.Problem{Path: next, Reason: plain(err).Error()})
			continue
		}
		s.answer(ctx, a)
	}
	return nil
}

// answered is what came back for one address.
type answered struct {
	url    *url.URL
	status int
	header http.Header
	text   string
}

func (s *scanner) get(ctx context.Context, address string, header http.Header) (*answered, error) {
	s.result.Gets++
	return s.send(ctx, http.MethodGet, address, header, "")
}

func (s *scanner) send(ctx context.Context, method, address string, header http.Header, body string) (*answered, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, header)
	req.Header.Set("User-Agent", s.options.Agent)
	res, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := netx.ReadAll(res.Body, maxBody, res.ContentLength)
	if err != nil && !errors.Is(err, netx.ErrTooLarge) {
		return nil, err
	}
	if errors.Is(err, netx.ErrTooLarge) {
		s.options.Problem(files.Problem{Path: address, Reason: "the answer is larger than 16 MiB"})
	}
	s.options.Progress(int64(len(b)))
	s.result.Bytes += int64(len(b))
	a := &answered{url: req.URL, status: res.StatusCode, header: res.Header}
	if text, err := files.Text(b); err == nil {
		a.text = text
	}
	return a, nil
}

// elsewhere is the other site to which an answer sends, empty if to none.
func (s *scanner) elsewhere(a *answered) string {
	if a.status < 300 || a.status > 399 {
		return ""
	}
	to, err := a.url.Parse(a.header.Get("Location"))
	if err != nil || to.Host == s.base.Host && to.Scheme == s.base.Scheme {
		return ""
	}
	return to.Scheme + "://" + to.Host
}

// answer looks at what came back, and queues what it leads to.
func (s *scanner) answer(_ context.Context, a *answered) {
	if a.status >= 300 && a.status <= 399 {
		s.enqueue(a.url, a.header.Get("Location"))
		return
	}
	if a.status != http.StatusOK || a.text == "" || a.text == s.fallback {
		return
	}
	s.result.Read++
	s.secrets(a)
	s.headers(a)
	switch {
	case isHTML(a):
		s.links(a, inHTML)
		s.links(a, inScripts)
	case strings.HasSuffix(a.url.Path, ".map"):
	default:
		s.links(a, inScripts)
		if path.Ext(a.url.Path) == ".js" && !strings.Contains(a.text, "sourceMappingURL=data:") {
			s.enqueue(a.url, path.Base(a.url.Path)+".map")
		}
	}
	s.findEndpoints(a)
}

func isHTML(a *answered) bool { return strings.Contains(a.header.Get("Content-Type"), "html") }

var (
	inHTML    = regexp.MustCompile(`(?i)\b(?:href|src)\s*=\s*["']([^"'<>]{1,1000})["']`)
	inScripts = regexp.MustCompile("[\"'`(=](\\.{0,2}/?(?:[\\w@~.()\\[\\]-]+/)*[\\w@~.()\\[\\]-]+\\.(?:m?js|map)(?:\\?[\\w=&.-]{0,80})?)(?:[\"'`)\\s]|$)|<loc>([^<]{1,500})</loc>")
	avoided   = regexp.MustCompile(`(?i)log-?out|sign-?out|delete|remove|unsubscribe|/api/`)
)

// links queues what a text refers to.
func (s *scanner) links(a *answered, pattern *regexp.Regexp) {
	for _, m := range pattern.FindAllStringSubmatch(a.text, 2000) {
		ref := m[1]
		if ref == "" && len(m) > 2 {
			ref = m[2]
		}
		s.enqueue(a.url, html.UnescapeString(ref))
		// Next.js names chunks without the folder that it serves them from.
		if strings.HasPrefix(ref, "static/chunks/") {
			s.enqueue(s.base, "/_next/"+ref)
		}
	}
}

// resolve is a reference as a whole address.
func (s *scanner) resolve(from *url.URL, ref string) string {
	u, err := from.Parse(ref)
	if err != nil {
		return ""
	}
	u.Fragment = ""
	return u.String()
}

// enqueue takes an address of this site that was not seen yet, if a GET cannot
// change anything there.
func (s *scanner) enqueue(from *url.URL, ref string) {
	u, err := from.Parse(strings.TrimSpace(ref))
	if err != nil || ref == "" || u.Scheme != s.base.Scheme || u.Host != s.base.Host || u.User != nil {
		return
	}
	u.Fragment = ""
	asset := slices.Contains([]string{".js", ".mjs", ".map", ".json", ".txt", ".xml", ".webmanifest"}, path.Ext(u.Path))
	binary := files.IsBinary(u.Path) || path.Ext(u.Path) == ".css" || path.Ext(u.Path) == ".svg"
	if binary || avoided.MatchString(u.Path) || !asset && u.RawQuery != "" || s.seen[u.String()] {
		return
	}
	if !asset {
		if s.pages++; s.pages > maxPages {
			return
		}
	}
	s.seen[u.String()] = true
	s.queue = append(s.queue, u.String())
}
