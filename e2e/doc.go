// Package e2e tests Claviger from outside: the built binary as a process, the
// official SDKs, a real Next.js app and a real browser. The tests that need
// npm packages and Chromium run with CLAVIGER_E2E=1, which the test command of
// the README sets after it has installed them.
package e2e
