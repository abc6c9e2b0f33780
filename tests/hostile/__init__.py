"""What a hostile script, server or surrounding can try, and that it comes to nothing."""
