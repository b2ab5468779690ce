// Package upstream is the far side of a measurement: a fast server that
// answers as OpenAI does and always the same. It costs next to nothing, so that
// what stands before it shows, and it knows when a caller left, so that the time
// of a cancel can be measured at the place where money would be saved.
//
// It is no simulator: it checks nothing and does not remember. What a request
// wants is written into its prompt (see [Ask]), since that is the one part that
// every gateway hands on unchanged.
package upstream
