"""What must hold of the TIC's decoders whatever comes in, tried with inputs that a fuzzer guides by coverage."""
