package app

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settleTime is how long files must be quiet before they are read: editors and
// secret managers write in several steps.
const settleTime = 150 * time.Millisecond

// watch reloads on SIGHUP and when a file of the installation changes.
func (s *running) watch(ctx context.Context) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	events, follow, stop := s.watchFiles()
	defer stop()
	follow()
	quiet := time.NewTimer(settleTime)
	quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			s.reload(ctx)
			follow()
		case e := <-events:
			if s.concerns(e) {
				quiet.Reset(settleTime)
			}
		case <-quiet.C:
			s.reload(ctx)
			follow()
		}
	}
}

// watchFiles watches the directories of the installation's files: a file that
// is replaced, as editors and Kubernetes do, is another file than the one that
// was watched.
func (s *running) watchFiles() (events <-chan fsnotify.Event, follow, stop func()) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		s.log.Warn("files are not watched: a change needs SIGHUP", "error", err.Error())
		return nil, func() {}, func() {}
	}
	follow = func() {
		watched := w.WatchList()
		for _, f := range s.installed().files {
			dir := filepath.Dir(f)
			if slices.Contains(watched, dir) {
				continue
			}
			if err := w.Add(dir); err == nil {
				watched = append(watched, dir)
			}
		}
	}
	go func() {
		for err := range w.Errors {
			s.log.Warn("watching files failed: a change may need SIGHUP", "error", err.Error())
		}
	}()
	return w.Events, follow, func() { _ = w.Close() }
}

// concerns reports whether an event is about a file of the installation, or the
// link that Kubernetes swaps to replace a mounted secret.
func (s *running) concerns(e fsnotify.Event) bool {
	if e.Op == fsnotify.Chmod {
		return false
	}
	return filepath.Base(e.Name) == "..data" || slices.Contains(s.installed().files, filepath.Clean(e.Name))
}
