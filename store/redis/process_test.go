package redis_test

const childURL = "CLAVIGER_TEST_REDIS"

func child() {}
