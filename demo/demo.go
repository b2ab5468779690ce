// Package demo is the page that `claviger demo` shows: a sign-in with two
// people, a plain form that runs an action, a chat that streams through the
// proxy, the limits as they fill, and what the browser saw of it all.
package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"strconv"
)

//go:embed page.html style.css app.js
var files embed.FS

// User is somebody who may sign in with a click.
type User struct {
	ID   string
	Name string
	Plan string
	// About says in one sentence what the plan allows.
	About string
}

// Sessions makes and reads the session cookies of the demo. It is the same
// session that an app with Auth.js would have.
type Sessions interface {
	// SignIn returns the cookies of a new session.
	SignIn(ctx context.Context, u User) ([]*http.Cookie, error)
	// SignedIn returns the id of the user whose session r carries, empty when
	// there is none.
	SignedIn(r *http.Request) string
}

// Options are what the page needs.
type Options struct {
	// Gateway serves every path that is not the demo's own.
	Gateway  http.Handler
	Sessions Sessions
	Users    []User
	// Models are the models to choose from, the first one first.
	Models []string
	// Simulated says that answers come from the simulated OpenAI.
	Simulated bool
	// Cap is what the demo may spend, as "1 USD".
	Cap string
	// Secure marks cookies for https.
	Secure bool
}

type page struct {
	Options
	Nonce string
	User  *User
}

type handler struct {
	options Options
	page    *template.Template
	cross   *http.CrossOriginProtection
}

// New makes the demo's handler.
func New(o Options) (http.Handler, error) {
	if o.Gateway == nil || o.Sessions == nil || len(o.Users) == 0 || len(o.Models) == 0 {
		return nil, errors.New("demo: gateway, sessions, users and models are required")
	}
	t, err := template.ParseFS(files, "page.html")
	if err != nil {
		return nil, err
	}
	h := &handler{options: o, page: t, cross: http.NewCrossOriginProtection()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", h.show)
	mux.HandleFunc("GET /demo/app.js", file("app.js", "text/javascript; charset=utf-8"))
	mux.HandleFunc("GET /demo/style.css", file("style.css", "text/css; charset=utf-8"))
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /demo/sign-in", h.signIn)
	mux.HandleFunc("POST /demo/sign-out", h.signOut)
	own := h.cross.Handler(secured(mux))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			own.ServeHTTP(w, r)
			return
		}
		o.Gateway.ServeHTTP(w, r)
	}), nil
}

func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "private, no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'")
		next.ServeHTTP(w, r)
	})
}

func file(name, contentType string) http.HandlerFunc {
	data, err := files.ReadFile(name)
	return func(w http.ResponseWriter, _ *http.Request) {
		if err != nil {
			http.Error(w, "missing", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		_, _ = w.Write(data)
	}
}

func (h *handler) show(w http.ResponseWriter, r *http.Request) {
	p := page{Options: h.options, Nonce: rand.Text(), User: h.find(h.options.Sessions.SignedIn(r))}
	var b bytes.Buffer
	if err := h.page.Execute(&b, p); err != nil {
		http.Error(w, "The page could not be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-"+p.Nonce+"'; style-src 'nonce-"+p.Nonce+
		"'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}

func (h *handler) find(id string) *User {
	for i, u := range h.options.Users {
		if u.ID == id && id != "" {
			return &h.options.Users[i]
		}
	}
	return nil
}

func (h *handler) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	u := h.find(r.PostFormValue("user"))
	if u == nil {
		http.Error(w, "Nobody of that name lives here", http.StatusBadRequest)
		return
	}
	cookies, err := h.options.Sessions.SignIn(r.Context(), *u)
	if err != nil {
		http.Error(w, "Sign-in failed", http.StatusInternalServerError)
		return
	}
	for _, c := range cookies {
		http.SetCookie(w, h.harden(c))
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (h *handler) signOut(w http.ResponseWriter, r *http.Request) {
	for _, c := range r.Cookies() {
		http.SetCookie(w, h.harden(&http.Cookie{Name: c.Name, MaxAge: -1})) //nolint:gosec // harden sets the attributes
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// harden sets what Auth.js sets on its session cookie.
func (h *handler) harden(c *http.Cookie) *http.Cookie { //nolint:gosec // Secure as the demo is served: loopback has no https
	c.Path, c.HttpOnly, c.SameSite, c.Secure = "/", true, http.SameSiteLaxMode, h.options.Secure
	return c
}
