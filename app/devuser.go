package app

import (
	"context"
	_ "embed"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/authjs"
	"claviger.dev/claviger/config"
)

const (
	// devUserMethod is the name under which a click vouches.
	devUserMethod = "dev-user"
	// devUserCookie holds the session of the dev user. The app of the same
	// machine sees it too, and may pass it on as a bearer.
	devUserCookie = "claviger.dev-user"
	devUserPath   = "/dev-user"
	devUserTTL    = 12 * time.Hour
)

// devUser is one person whom a click signs in: whoever sits at this machine.
// Its sessions are sealed with the identity key. It implements
// claviger.Authenticator and refuses whoever is not on loopback.
type devUser struct {
	sessions *authjs.Authenticator
	plan     string
	limits   []claviger.Limit
}

func (b *builder) devUser(c *config.DevUser) (claviger.Authenticator, error) {
	sessions, err := authjs.New(authjs.Options{
		Secrets: []claviger.Secret{b.in.identity}, Version: 5, Cookie: devUserCookie, Realm: devUserMethod,
	})
	if err != nil {
		return nil, err
	}
	b.in.devUser = &devUser{sessions: sessions, plan: c.Plan, limits: config.Rates{Spend: c.Spend}.All()}
	return b.in.devUser, nil
}

// Authenticate implements claviger.Authenticator. It does not block.
func (u *devUser) Authenticate(ctx context.Context, r *http.Request) (claviger.Principal, error) {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err != nil || !net.ParseIP(host).IsLoopback() {
		return claviger.Principal{}, claviger.ErrNoCredential
	}
	p, err := u.sessions.Authenticate(ctx, r)
	if err != nil {
		return claviger.Principal{}, err
	}
	p.Method, p.Plan, p.Limits = devUserMethod, u.plan, u.limits
	return p, nil
}

//go:embed devuser.html
var devUserHTML string

// devUserPages serves the page with the click before the gateway, as long as
// the running configuration has a dev user. Hosts that are not this machine's
// are the gateway's to refuse.
type devUserPages struct{ *running }

// ServeHTTP implements http.Handler.
func (d devUserPages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in := d.installed()
	if r.URL.Path != devUserPath || in.devUser == nil || !in.snapshot.Hosts.Allowed(r.Host) {
		d.gateway.ServeHTTP(w, r)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "private, no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action "+
		strings.Join(append([]string{"'self'"}, in.config.Origins...), " ")+"; frame-ancestors 'none'; base-uri 'none'")
	guarded := http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			d.show(w, r, in.devUser)
		case http.MethodPost:
			d.sign(w, r, in.devUser)
		default:
			w.Header().Set("Allow", "GET, HEAD, POST")
			http.Error(w, "GET shows the page, POST signs in and out", http.StatusMethodNotAllowed)
		}
	}))
	guarded.ServeHTTP(w, r)
}

func (d devUserPages) show(w http.ResponseWriter, r *http.Request, u *devUser) {
	page, err := template.New("dev-user").Parse(devUserHTML)
	if err != nil {
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		return
	}
	_, signedIn := u.Authenticate(r.Context(), r)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = page.Execute(w, struct {
		SignedIn bool
		Origins  []string
		To       string
	}{signedIn == nil, d.installed().config.Origins, d.to(r)})
}

// sign signs in, or out with the field out.
func (d devUserPages) sign(w http.ResponseWriter, r *http.Request, u *devUser) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	if r.PostFormValue("out") != "" {
		http.SetCookie(w, &http.Cookie{ //nolint:gosec // loopback has no https
			Name: devUserCookie, MaxAge: -1, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		})
		http.Redirect(w, r, devUserPath, http.StatusSeeOther)
		return
	}
	_, cookies, err := u.sessions.Issue(claviger.Claims{"sub": devUserMethod, "name": "Dev user"}, devUserTTL)
	if err != nil {
		http.Error(w, "the session could not be made", http.StatusInternalServerError)
		return
	}
	for _, c := range cookies {
		http.SetCookie(w, c)
	}
	next := devUserPath
	if to := d.to(r); to != "" {
		next = to
	}
	http.Redirect(w, r, next, http.StatusSeeOther) //nolint:gosec // to lets listed origins through alone
}

// to is the page that somebody came from, if it is one of a listed origin.
func (d devUserPages) to(r *http.Request) string {
	u, err := url.Parse(r.FormValue("to"))
	if err != nil || u.User != nil || !slices.Contains(d.installed().config.Origins, u.Scheme+"://"+u.Host) {
		return ""
	}
	return u.String()
}
